"""Measures how the program takes kills, damage, wrong values and odd folders.

    python tests/campaigns/campaign.py [kills] [damages] [values] [folders]

Not part of the test suite: it takes about half an hour on two cores, and what
it does is drawn at random from --seed. It prints one table of how many trials
of each kind were tried and how many were good, and every trial that was not.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE), os.path.dirname(
    os.path.dirname(HERE))]

import damages  # noqa: E402
import folders  # noqa: E402
import kills  # noqa: E402
import values  # noqa: E402
from trial import Trial  # noqa: E402

from alexnet_jax import tables  # noqa: E402

CAMPAIGNS = {'kills': kills.trials, 'damages': damages.trials,
             'values': values.trials, 'folders': folders.trials}


def main() -> None:
  """Runs the campaigns named on the command line; all if none is named."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('campaigns', nargs='*', metavar='CAMPAIGN',
                      help=', '.join(CAMPAIGNS))
  parser.add_argument('--seed', type=int, default=0)
  arguments = parser.parse_args()
  unknown = set(arguments.campaigns) - set(CAMPAIGNS)
  if unknown:
    parser.error(f'there is no campaign {", ".join(sorted(unknown))}')
  counts: dict[str, list[int]] = {}
  for trial in _all_trials(arguments.campaigns or list(CAMPAIGNS),
                           arguments.seed):
    tried_and_good = counts.setdefault(trial.kind, [0, 0])
    tried_and_good[0] += 1
    tried_and_good[1] += trial.good
    print(f'{trial.kind}: {tried_and_good[0]} tried, {tried_and_good[1]} good',
          file=sys.stderr)
    if not trial.good:
      print(f'WRONG {trial.kind}: {trial.name}\n{trial.output[-900:]}\n',
            flush=True)
  rows = [('kind', 'tried', 'good')]
  rows += [(kind, str(tried), str(good))
           for kind, (tried, good) in counts.items()]
  print('\n'.join(tables.aligned(rows)))
  sys.exit(any(tried != good for tried, good in counts.values()))


def _all_trials(names: list[str], seed: int) -> Iterator[Trial]:
  for name in names:
    with tempfile.TemporaryDirectory(prefix=f'campaign_{name}_') as folder:
      yield from CAMPAIGNS[name](folder, seed)


if __name__ == '__main__':
  main()
