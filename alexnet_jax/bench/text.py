"""What `--task=bench` found, as tables for people."""

from collections.abc import Iterator, Mapping
from typing import Any


def as_text(found: Mapping[str, Any]) -> str:
  """Every table, from what the bench's JSON holds."""
  return '\n\n'.join('\n'.join(table(found)) for table in (
      _head, _rows, _layers, _exchange, _input))


def _head(found) -> Iterator[str]:
  machine, mesh = found['machine'], found['mesh']
  yield (f'{found["network"]}, batch {found["batch_size"]}, mesh'
         f' {mesh["data"]} x {mesh["column"]}')
  yield (f'{machine["processor"]}, {machine["cores"]} cores;'
         f' {machine["devices"]}; jax {machine["jax"]}, jaxlib'
         f' {machine["jaxlib"]}')
  yield from (f'{name}={value}' for name, value in machine['settings'].items())


def _rows(found) -> Iterator[str]:
  yield (f'{"row":<20}{"images/s":>10}  {"(slowest, fastest)":<20}'
         f'{"GFLOP/s":>9}   times the step (least, most)')
  for name, row in found['rows'].items():
    apart = f'({row["slowest"]:.1f}, {row["fastest"]:.1f})'
    against = row['against_step']
    yield (f'{name:<20}{row["images_per_second"]:10.1f}  {apart:<20}'
           f'{_number(row["gflops_per_second"]):>9}   {against["median"]:.3f}'
           f' ({against["least"]:.3f}, {against["most"]:.3f})')
  memory = found['memory']
  gib = {name: value / 2**30 for name, value in memory.items() if value}
  yield (f'compiled in {found["compile_seconds"]:.1f} s; peak memory of the'
         f' process {gib["process_peak_bytes"]:.2f} GiB, of a step alone'
         f' {gib.get("step_temporary_bytes", 0):.2f} GiB'
         + (f', of a device {gib["device_peak_bytes"]:.2f} GiB'
            if 'device_peak_bytes' in gib else ''))


def _layers(found) -> Iterator[str]:
  layers = found['layers']
  width = max(len(part['what']) for part in layers['parts']) + 2
  head = f'{"ms":>8}{"GFLOP/s":>9}{"of peak":>9}'
  yield f'{"one device":<{8 + width}}{"forward":>26}{"backward":>26}'
  yield f'{"layer":<8}{"part":<{width}}{head}{head}'
  for part in layers['parts']:
    name = part['layer'] if part['what'] == 'weights' else ''
    yield (f'{name:<8}{part["what"]:<{width}}{_pass(part["forward"])}'
           f'{_pass(part["backward"])}').rstrip()
  for name, seconds in layers['others_seconds'].items():
    yield f'{name:<{8 + width}}{1000 * seconds:8.2f}'
  peak = layers['matrix_product_gflops_per_second']
  yield (f'They add up to {1000 * layers["sum_seconds"]:.1f} ms,'
         f' {layers["sum_over_step"]:.2f} of the step; the peak is that of a'
         f' large matrix product, {_number(peak)} GFLOP/s.')


def _pass(one):
  share = one['of_peak']
  return (f'{1000 * one["seconds"]:8.2f}'
          f'{_number(one["gflops_per_second"]):>9}'
          f'{"" if share is None else f"{share:.0%}":>9}')


def _exchange(found) -> Iterator[str]:
  if not found['exchange']:
    yield ('One device holds all columns, so nothing is exchanged; with'
           ' --config.mesh.column=2 (and JAX_NUM_CPU_DEVICES=2 on a CPU) the'
           ' bytes are read out of the compiled step.')
    return
  yield f'{"exchanged":<10}{"computed":>14}{"in the program":>18}'
  for name, row in found['exchange'].items():
    yield (f'{name:<10}{row["computed_bytes"]:14,.0f}'
           f'{row["measured_bytes"]:18,.0f}')
  yield 'Bytes per image and step that all devices together receive.'


def _input(found) -> Iterator[str]:
  step = found['rows']['step']['images_per_second']
  yield (f'{"input":<20}{"images/s":>10}  {"(slowest, fastest)":<20}'
         'cores that feed the step')
  for name, rate in found['input'].items():
    apart = f'({rate["least"]:.1f}, {rate["most"]:.1f})'
    yield (f'{name:<20}{rate["median"]:10.1f}  {apart:<20}'
           f'{step / rate["median"]:.3f}')
  yield 'Of one core, in seconds of its own time; squares at the size read.'


def _number(value):
  return '' if value is None else f'{value:.1f}'
