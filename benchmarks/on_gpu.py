"""Collects what on_gpu.sh measured: `python -m benchmarks.on_gpu OUT`.

Roofline: no step is faster than its arithmetic at the peak rate of the data
sheet, or than the bytes that its compiled program moves at the peak bandwidth.
"""

import glob
import json
import os
import sys
import xml.etree.ElementTree
from collections.abc import Sequence
from typing import Any

from alexnet_jax import files
from alexnet_jax.bench import chips

# The names of arithmetic in `problem.Ours`, as `config.precision` has them.
PRECISIONS = {'strict': 'float32', 'default': 'tf32', 'bfloat16': 'bfloat16'}


def main(argv: Sequence[str]) -> None:
  """Writes OUT/on_gpu.json and prints what the step takes."""
  (out,) = argv
  results = collect(out)
  files.write_json(os.path.join(out, 'on_gpu.json'), results)
  for part, step in results['steps'].items():
    for name, row in step['contenders'].items():
      if 'failed' in row:
        print(f'{part} {name}: {row["failed"]}')
        continue
      of_roofline = row.get('of_roofline')
      print(f'{part} {name}: {row["images_per_second"]["median"]:.0f} images/s'
            + (f', {of_roofline:.0%} of the roofline' if of_roofline else ''))


def collect(out: str) -> dict[str, Any]:
  """Returns the results in a folder as one tree.

  Args:
    out: the folder that on_gpu.sh wrote.
  """
  results: dict[str, Any] = {'parts': [], 'steps': {}}
  for path in sorted(glob.glob(os.path.join(out, 'parts_*.jsonl'))):
    results['parts'] += [
        json.loads(line) for line in _text(path).splitlines()]
  if report := _text(os.path.join(out, 'tests.xml')):
    results['tests'] = _tests(report)
  for path in sorted(glob.glob(os.path.join(out, '*_[0-9]*.json'))):
    measured = json.loads(_text(path))
    name = os.path.splitext(os.path.basename(path))[0]
    results['machine'] = measured['machine']
    results['versions'] = measured['versions']
    for mode in measured['modes']:
      results['steps'][name] = _with_roofline(
          mode, measured['machine'].get('device', ''))
  if layers := _text(os.path.join(out, 'bench.json')):
    results['bench'] = json.loads(layers)
  return results


def roofline_seconds(device: str, arithmetic: str, flops: float,
                     moved_bytes: float) -> float | None:
  """Returns the least seconds of a step; None for an unknown device.

  Args:
    device: the name that JAX gives it.
    arithmetic: as in `problem.Ours`.
    flops: floating-point operations.
    moved_bytes: bytes read from memory and written to it.
  """
  for name, chip in chips.CHIPS.items():
    if name in device.lower():
      return max(flops / chip.flops_per_second[PRECISIONS[arithmetic]],
                 moved_bytes / chip.bytes_per_second)
  return None


def _with_roofline(mode, device):
  for row in mode['contenders'].values():
    if 'moved_bytes' not in row:
      continue
    least = roofline_seconds(device, row['variant']['arithmetic'],
                             row['flops'], row['moved_bytes'])
    if least:
      seconds = mode['batch'] / row['images_per_second']['median']
      row |= {'roofline_seconds': least, 'of_roofline': least / seconds}
  return mode


def _tests(report):
  suite = xml.etree.ElementTree.fromstring(report).find('testsuite')
  if suite is None:
    return {}
  counts = {name: int(suite.get(name, 0))
            for name in ('tests', 'failures', 'errors', 'skipped')}
  failed = [case.get('name') for case in suite
            if case.find('failure') is not None
            or case.find('error') is not None]
  return counts | {'failed': failed}


def _text(path):
  if not os.path.exists(path):
    return ''
  with open(path, encoding='utf-8') as file:
    return file.read()


if __name__ == '__main__':
  main(sys.argv[1:])
