"""The results of one mode as numbers and as text."""

import statistics
from collections.abc import Mapping
from typing import Any

from alexnet_jax import tables
from alexnet_jax.bench import turns
from alexnet_jax.bench.process import ProcessRow
from benchmarks.problem import MODES, Ours, Peer, Problem


def as_numbers(problem: Problem, contenders: Mapping[str, ProcessRow],
               variants: Mapping[str, Ours | Peer]) -> dict[str, Any]:
  """Returns speeds, ratios and memory of one mode.

  Ratios are computed within each round; the result is their median.

  Args:
    problem: the mode and the batch size.
    contenders: 'ours' and the others, after their turns.
    variants: the variant of each contender.
  """
  ours = contenders['ours']
  rows = {}
  for name, contender in contenders.items():
    row = {'variant': variants[name]._asdict()}
    rows[name] = row
    if contender.failed:
      row['failed'] = contender.failed
      continue
    row |= {
        'images_per_second': turns.spread(
            [problem.batch / seconds for seconds in contender.seconds]
        )._asdict(),
        'against_ours': (
            None if ours.failed else turns.ratio(contender, ours)._asdict()),
        'compile_seconds': contender.compile_seconds,
        'seconds': contender.seconds,
        'peak_bytes': contender.description['peak_bytes']}
    row |= {name: contender.description[name]
            for name in ('device_peak_bytes', 'moved_bytes', 'flops')
            if name in contender.description}
  results = {**problem._asdict(), 'contenders': rows}
  if not ours.failed:
    results['ours_over'] = _ours_over(contenders, variants)
  return results


def _ours_over(contenders, variants):
  """Returns our speed relative to the best PyTorch variant."""
  peers = {name: variant for name, variant in variants.items()
           if isinstance(variant, Peer) and not contenders[name].failed
           and variant.arithmetic == 'default'}
  groups = {
      'best PyTorch with its own norm, not compiled': [
          name for name, variant in peers.items()
          if variant.norm == 'own' and not variant.compiled],
      'best PyTorch in 32 bits': list(peers)}
  results = {}
  for group, names in groups.items():
    if names:
      best = min(names, key=lambda name: statistics.median(
          contenders[name].seconds))
      results[group] = {'contender': best, **turns.ratio(
          contenders['ours'], contenders[best])._asdict()}
  return results


def as_text(results: Mapping[str, Any]) -> str:
  """Formats the results as a text table."""
  mode = results['mode']
  lines = [f'{mode}, batch {results["batch"]}: {MODES[mode]}',
           *(f'{name} does not work: {row["failed"]}'
             for name, row in results['contenders'].items() if 'failed' in row)]
  rows = [('contender', 'images/s', '(slowest, fastest)', 'against ours',
           '(least, most)', 'peak GiB', 'compile s')]
  for name, row in results['contenders'].items():
    if 'failed' in row:
      continue
    speed, ratio = row['images_per_second'], row['against_ours']
    peak = row.get('device_peak_bytes', row['peak_bytes']) / 2**30
    against = ('', '') if ratio is None else (
        f'{ratio["median"]:.3f}',
        f'({ratio["least"]:.3f}, {ratio["most"]:.3f})')
    rows.append((
        name, f'{speed["median"]:.1f}',
        f'({speed["least"]:.1f}, {speed["most"]:.1f})', *against,
        f'{peak:.2f}', f'{row["compile_seconds"]:.1f}'))
  lines += tables.aligned(rows)
  for group, ratio in results.get('ours_over', {}).items():
    lines.append(
        f'ours is {ratio["median"]:.2f} ({ratio["least"]:.2f},'
        f' {ratio["most"]:.2f}) times {ratio["contender"]}, the {group}')
  return '\n'.join(lines)
