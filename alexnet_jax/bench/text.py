"""The results of `--task=bench` as text tables."""

from collections.abc import Iterator, Mapping
from typing import Any

from alexnet_jax import tables


def as_text(results: Mapping[str, Any]) -> str:
  """Formats all tables from the JSON results of the bench."""
  return '\n\n'.join('\n'.join(table(results)) for table in (
      _head, _rows, _layers, _exchange, _input))


def devices(results: Mapping[str, Any]) -> str:
  """Describes the mesh, as in 'mesh 4 x 2, full layers divided'."""
  mesh = results['mesh']
  divided = ', full layers divided' * (results['full_layers'] == 'model')
  return f'mesh {mesh["data"]} x {mesh["column"]}{divided}'


def _head(results) -> Iterator[str]:
  machine = results['machine']
  yield (f'{results["network"]}, batch {results["batch_size"]},'
         f' {devices(results)}')
  yield (f'{machine["processor"]}, {machine["cores"]} cores;'
         f' {machine["devices"]}; jax {machine["jax"]}, jaxlib'
         f' {machine["jaxlib"]}')
  yield from (f'{name}={value}' for name, value in machine['settings'].items())


def _rows(results) -> Iterator[str]:
  rows = [('row', 'images/s', '(slowest, fastest)', 'GFLOP/s',
           'times the step', '(least, most)')]
  for name, row in results['rows'].items():
    against = row['against_step']
    rows.append((
        name, f'{row["images_per_second"]:.1f}',
        f'({row["slowest"]:.1f}, {row["fastest"]:.1f})',
        _number(row['gflops_per_second']), f'{against["median"]:.3f}',
        f'({against["least"]:.3f}, {against["most"]:.3f})'))
  yield from tables.aligned(rows)
  memory = results['memory']
  gib = {name: value / 2**30 for name, value in memory.items() if value}
  yield (f'compiled in {results["compile_seconds"]:.1f} s; peak memory of the'
         f' process {gib["process_peak_bytes"]:.2f} GiB, of a step alone'
         f' {gib.get("step_temporary_bytes", 0):.2f} GiB'
         + (f', of a device {gib["device_peak_bytes"]:.2f} GiB'
            if 'device_peak_bytes' in gib else ''))


def _layers(results) -> Iterator[str]:
  layers = results['layers']
  empty = ('',) * 3
  rows = [('one device', '', 'forward', *empty[1:], 'backward', *empty[1:]),
          ('layer', 'part', *('ms', 'GFLOP/s', 'of peak') * 2)]
  rows += [(part['layer'] if part['what'] == 'weights' else '', part['what'],
            *_pass(part['forward']), *_pass(part['backward']))
           for part in layers['parts']]
  rows += [(name, '', f'{1000 * seconds:.2f}', *empty[1:], *empty)
           for name, seconds in layers['others_seconds'].items()]
  yield from tables.aligned(rows)
  peak = layers['matrix_product_gflops_per_second']
  yield (f'They add up to {1000 * layers["sum_seconds"]:.1f} ms,'
         f' {layers["sum_over_step"]:.2f} of the step; the peak is that of a'
         f' large matrix product, {_number(peak)} GFLOP/s.')
  if results['full_layers'] == 'model':
    yield ('Here the full layers are not divided: a device has all neurons of'
           ' its columns and its part of the batch.')


def _pass(one):
  share = one['of_peak']
  return (f'{1000 * one["seconds"]:.2f}', _number(one['gflops_per_second']),
          '' if share is None else f'{share:.0%}')


def _exchange(results) -> Iterator[str]:
  if not results['exchange']:
    yield ('One device holds all columns, so they exchange nothing; with'
           ' --config.mesh.column=2 (and JAX_NUM_CPU_DEVICES=2 on a CPU) the'
           ' bytes are read out of the compiled step.')
    return
  yield from tables.aligned([
      ('exchanged', 'computed', 'in the program'),
      *((name, f'{row["computed_bytes"]:,.0f}', f'{row["measured_bytes"]:,.0f}')
        for name, row in results['exchange'].items())])
  yield ('Bytes per image and step that all devices together receive from other'
         ' columns.')


def _input(results) -> Iterator[str]:
  step = results['rows']['step']['images_per_second']
  yield from tables.aligned([
      ('input', 'images/s', '(slowest, fastest)', 'cores that feed the step'),
      *((name, f'{rate["median"]:.1f}',
         f'({rate["least"]:.1f}, {rate["most"]:.1f})',
         f'{step / rate["median"]:.3f}')
        for name, rate in results['input'].items())])
  yield 'Of one core, in seconds of its own time; squares at the size read.'


def _number(value):
  return '' if value is None else f'{value:.1f}'
