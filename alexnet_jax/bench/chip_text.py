"""The results of `--task=bench --compile_for` as text tables."""

from collections.abc import Iterator, Mapping
from typing import Any

from alexnet_jax import tables
from alexnet_jax.bench import text

BOUND = {'memory': 'the memory', 'arithmetic': 'its products',
         'links': 'the links'}


def as_text(results: Mapping[str, Any]) -> str:
  """Formats the tables of both programs from the JSON results."""
  sheet = results['data_sheet']
  head = (
      f'{results["network"]} in {results["precision"]}, batch'
      f' {results["batch_size"]}, compiled for {results["chip"]},'
      f' {text.devices(results)}, jax {results["jax"]}; nothing was run.\n'
      f'Data sheet of one chip: {sheet["bytes_per_second"] / 1e12:.2f} TB/s,'
      f' {sheet["flops_per_second"][results["precision"]] / 1e12:.0f} TFLOP/s,'
      f' {sheet["link_bytes_per_second"] / 1e9:.0f} GB/s to a neighbor'
      f' ({sheet["source"]}).')
  return '\n\n'.join([head, *(
      '\n'.join(_program(name, program, sheet['memory_bytes']))
      for name, program in results['programs'].items())])


def _program(name, program, memory) -> Iterator[str]:
  seconds = program['roofline']['seconds']
  rows = [(name, 'of one chip', 'least time'),
          ('bytes of its memory', f'{program["hbm_bytes"] / 1e9:.2f} GB',
           f'{1000 * seconds["memory"]:.2f} ms'),
          ('products', f'{program["flops"] / 1e9:.0f} GFLOP',
           f'{1000 * seconds["arithmetic"]:.2f} ms'),
          ('received from others', f'{_received(program) / 1e6:.1f} MB',
           f'{1000 * seconds["links"]:.2f} ms')]
  yield from tables.aligned(rows)
  yield (f'Bound by {BOUND[program["roofline"]["bound_by"]]}. Compiled in'
         f' {program["compile_seconds"]:.0f} s,'
         f' {program["compile_processor_seconds"]:.0f} s of the processor.')
  needed = program['argument_bytes'] + program['temporary_bytes']
  yield (f'Arguments {program["argument_bytes"] / 2**30:.2f} GiB, temporaries'
         f' {program["temporary_bytes"] / 2**30:.2f} GiB:'
         f' {"fits" if needed < memory else "does not fit"} into'
         f' {memory / 2**30:.0f} GiB.')
  if program['xla_bytes_accessed']:
    yield (f'XLA counts {program["xla_bytes_accessed"] / 1e9:.2f} GB in all'
           ' memories, those on the chip included, and'
           f' {program["xla_flops"] / 1e9:.0f} GFLOP.')
  yield ''
  yield from tables.aligned([
      ('bytes, GB', 'forward', 'backward'),
      *((scope or 'all else', f'{way["forward"] / 1e9:.3f}',
         f'{way["backward"] / 1e9:.3f}')
        for scope, way in program['scopes'].items() if sum(way.values()))])
  if program['collectives']:
    yield ''
    yield from tables.aligned([
        ('collective', 'layer', 'times', 'received, MB', 'asynchronous',
         'instructions meanwhile', 'their bytes, MB'),
        *((one['kind'], one['layer'] + ', backward' * one['backward'],
           str(one['runs']), f'{one["received_bytes"] / 1e6:.2f}',
           'yes' if one['asynchronous'] else 'no',
           str(one['meanwhile_instructions']),
           f'{one["meanwhile_bytes"] / 1e6:.1f}')
          for one in program['collectives'])])


def _received(program):
  return sum(one['runs'] * one['received_bytes']
             for one in program['collectives'])
