"""What the turns of one mode amount to."""

import statistics
from collections.abc import Mapping
from typing import Any

from benchmarks.problem import MODES, Ours, Peer, Problem
from benchmarks.turns import Contender


def as_numbers(problem: Problem, contenders: Mapping[str, Contender],
               variants: Mapping[str, Ours | Peer]) -> dict[str, Any]:
  """Speeds, ratios and memory of one mode.

  Ratios are made within each round, then their median is taken.

  Args:
    problem: what they did.
    contenders: 'ours' and others, after their turns.
    variants: what they are.
  """
  ours = contenders['ours'].seconds
  rows = {}
  for name, contender in contenders.items():
    row = {'variant': variants[name]._asdict()}
    rows[name] = row
    if contender.failed:
      row['failed'] = contender.failed
      continue
    row |= {
        'images_per_second': _spread(
            [problem.batch / seconds for seconds in contender.seconds]),
        'against_ours': _spread(_ratios(ours, contender.seconds)),
        'compile_seconds': contender.compile_seconds,
        'seconds': contender.seconds,
        'peak_bytes': contender.description['peak_bytes']}
    if 'device_peak_bytes' in contender.description:
      row['device_peak_bytes'] = contender.description['device_peak_bytes']
  found = {**problem._asdict(), 'contenders': rows}
  if not contenders['ours'].failed:
    found['ours_over'] = _ours_over(contenders, variants)
  return found


def _ours_over(contenders, variants):
  """How many times as fast as the best of PyTorch we are."""
  peers = {name: variant for name, variant in variants.items()
           if isinstance(variant, Peer) and not contenders[name].failed
           and variant.arithmetic == 'default'}
  groups = {
      'best PyTorch with its own norm, not compiled': [
          name for name, variant in peers.items()
          if variant.norm == 'own' and not variant.compiled],
      'best PyTorch in 32 bits': list(peers)}
  found = {}
  for group, names in groups.items():
    if names:
      best = min(names, key=lambda name: statistics.median(
          contenders[name].seconds))
      found[group] = {'contender': best, **_spread(_ratios(
          contenders[best].seconds, contenders['ours'].seconds))}
  return found


def _ratios(longer, shorter):
  """Round by round; none where one of the two has failed on the way."""
  return [a / b for a, b in zip(longer, shorter, strict=False)]


def _spread(values):
  if not values:
    return None
  return {'median': statistics.median(values), 'lowest': min(values),
          'highest': max(values)}


def as_text(found: Mapping[str, Any]) -> str:
  """The table for people."""
  lines = [f'{found["mode"]}, batch {found["batch"]}: {MODES[found["mode"]]}',
           'contender               images/s   (slowest, fastest)   against'
           ' ours            peak GiB   compile s']
  for name, row in found['contenders'].items():
    if 'failed' in row:
      lines.append(f'{name:<22}  does not work: {row["failed"]}')
      continue
    speed, ratio = row['images_per_second'], row['against_ours']
    peak = row.get('device_peak_bytes', row['peak_bytes']) / 2**30
    against = ('' if ratio is None else
               f'{ratio["median"]:.3f} ({ratio["lowest"]:.3f},'
               f' {ratio["highest"]:.3f})')
    lines.append(
        f'{name:<22} {speed["median"]:9.1f}   ({speed["lowest"]:7.1f},'
        f' {speed["highest"]:7.1f})   {against:<21}  {peak:8.2f}'
        f'   {row["compile_seconds"]:9.1f}')
  for group, ratio in found.get('ours_over', {}).items():
    lines.append(
        f'ours is {ratio["median"]:.2f} ({ratio["lowest"]:.2f},'
        f' {ratio["highest"]:.2f}) times {ratio["contender"]}, the {group}')
  return '\n'.join(lines)
