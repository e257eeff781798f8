"""The speed of our network compared with the same network in PyTorch.

    pip install -r benchmarks/requirements.txt
    python -m benchmarks.against_pytorch --small --batch 8       # to try it
    python -m benchmarks.against_pytorch
    python -m benchmarks.against_pytorch --device gpu --batch 128 512 1024 \
      --steps 20

All contenders of a mode run as processes at the same time and take turns, so
that noise affects all alike; read the ratios. The program checks no limits; the
numbers go into a JSON file that a script can evaluate.
"""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tqdm import tqdm

from alexnet_jax import files, machine
from alexnet_jax.bench import turns
from alexnet_jax.bench.process import ProcessRow
from benchmarks import problem as problems
from benchmarks import table
from benchmarks.problem import Ours, Peer, Problem

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Entry(NamedTuple):
  """One contender."""

  variant: Ours | Peer
  only_on: str = ''  # 'gpu': it makes no difference on a CPU.
  only_in: str = ''  # One mode.


ENTRIES = {
    'ours': Entry(Ours()),
    'ours-two': Entry(Ours(columns_on=2)),
    'ours-augments': Entry(Ours(augments=True), only_in='train'),
    'ours-strict': Entry(Ours(arithmetic='strict'), only_on='gpu'),
    'ours-bf16': Entry(Ours(arithmetic='bfloat16'), only_on='gpu'),
    'pytorch': Entry(Peer(channels_last=False)),
    'pytorch-hand': Entry(Peer(channels_last=False, norm='hand')),
    'pytorch-last': Entry(Peer()),
    'pytorch-last-hand': Entry(Peer(norm='hand')),
    'pytorch-compiled': Entry(Peer(compiled=True)),
    'pytorch-compiled-hand': Entry(Peer(norm='hand', compiled=True)),
    'pytorch-strict': Entry(
        Peer(norm='hand', arithmetic='strict'), only_on='gpu'),
    'pytorch-compiled-strict': Entry(
        Peer(norm='hand', compiled=True, arithmetic='strict'), only_on='gpu'),
    'pytorch-bf16': Entry(Peer(norm='hand', arithmetic='bfloat16')),
    'pytorch-compiled-bf16': Entry(
        Peer(norm='hand', compiled=True, arithmetic='bfloat16')),
}


def main(argv: Sequence[str] | None = None) -> None:
  """Runs the modes one after another and writes the results after each."""
  args = _parse(argv)
  results = {
      'command': 'python -m benchmarks.against_pytorch '
                 + ' '.join(sys.argv[1:] if argv is None else argv),
      'machine': _machine(), 'versions': {}, 'modes': []}
  surroundings = results['machine']
  print(f'{surroundings["processor"]}, {surroundings["cores"]} cores,'
        f' {surroundings["memory_bytes"] / 2**30:.0f} GiB; load before the run'
        f' {surroundings["load_before"]:.1f}')
  for batch in args.batch:
    for mode in args.modes:
      images = max(1, batch // 8) if mode == 'ten_crop' else batch
      problem = Problem(mode, images, args.small, args.device == 'gpu')
      names = [name for name in args.contenders
               if ENTRIES[name].only_on in ('', args.device)
               and ENTRIES[name].only_in in ('', mode)]
      contenders = run(problem, names, args.rounds, args.steps)
      for contender in contenders.values():
        results['versions'] |= contender.description.get('versions', {})
        if 'device' in contender.description:
          results['machine']['device'] = contender.description['device']
      results['modes'].append(table.as_numbers(
          problem, contenders, {name: ENTRIES[name].variant for name in names}))
      print('\n' + table.as_text(results['modes'][-1]), flush=True)
      files.write_json(args.out, results)
  print(f'\n{args.out}: the same as JSON')



def _machine() -> dict[str, Any]:
  """Describes the machine and its load."""
  name, value = machine.HUGE_PAGES
  return {
      'processor': machine.processor_name(), 'cores': machine.cores(),
      'memory_bytes': os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES'),
      'load_before': os.getloadavg()[0], 'system': platform.platform(),
      'python': platform.python_version(),
      name: os.environ.get(name, value)}


def run(problem: Problem, names: Sequence[str], rounds: int,
        steps: int) -> dict[str, ProcessRow]:
  """Runs the contenders of one mode in turns.

  Args:
    problem: the mode and the batch size.
    names: names of ENTRIES.
    rounds: timed turns; one untimed turn comes first.
    steps: steps per turn.
  """
  with tempfile.TemporaryDirectory() as scratch:
    start = lambda name: _start(problem, ENTRIES[name].variant, steps,
                                os.path.join(scratch, name))
    # Starting takes long on a GPU and disturbs nobody there.
    contenders = {name: start(name) for name in names if problem.gpu}
    with tqdm(total=len(names), leave=False, dynamic_ncols=True,
              disable=None) as bar:
      for group in _build_together(problem, names):
        bar.set_description(f'{" ".join(group)} compiles')
        for name in group:
          contenders[name] = contenders.get(name) or start(name)
          contenders[name].begin()
        for name in group:
          contenders[name].wait_until_built()
        bar.update(len(group))
    for contender in contenders.values():
      contender.warm_up()
    turns.take_turns(contenders, rounds, f'{problem.mode} {problem.batch}')
    for contender in contenders.values():
      contender.close()
  return contenders


def _build_together(problem: Problem,
                    names: Sequence[str]) -> list[list[str]]:
  """Returns the contenders in groups that build at the same time.

  On a GPU, PyTorch compiles with the processor and can share it, and searches
  for algorithms later, when it is alone. XLA searches for them as it compiles,
  so each of ours is alone.
  """
  peers = [name for name in names if isinstance(ENTRIES[name].variant, Peer)]
  if not problem.gpu or not peers:
    return [[name] for name in names]
  return [peers, *([name] for name in names if name not in peers)]


def _start(problem: Problem, variant: Ours | Peer, steps: int,
           scratch: str) -> ProcessRow:
  """Starts a child; C library settings are the same for both frameworks.

  The cache of torch.compile is in `scratch`, since an old cache would hide the
  compilation time.
  """
  ours = isinstance(variant, Ours)
  return ProcessRow(
      'benchmarks.in_jax' if ours else 'benchmarks.in_pytorch',
      {'problem': problem._asdict(), 'variant': variant._asdict(),
       'cores': machine.cores()},
      {**os.environ, **_settings(problem, variant if ours else Ours()),
       'PYTHONPATH': os.pathsep.join([ROOT, os.environ.get('PYTHONPATH', '')]),
       'TORCHINDUCTOR_CACHE_DIR': scratch}, steps)


def _settings(problem: Problem, ours: Ours) -> Mapping[str, str]:
  """Returns the environment variables of a child."""
  name, value = machine.HUGE_PAGES
  settings = {
      name: os.environ.get(name, value),
      'JAX_NUM_CPU_DEVICES': str(ours.columns_on),
      # Several processes share the GPU's memory.
      'XLA_PYTHON_CLIENT_PREALLOCATE': 'false',
  }
  return settings if problem.gpu else settings | {'JAX_PLATFORMS': 'cpu'}


def _parse(argv: Sequence[str] | None) -> Any:
  parser = argparse.ArgumentParser(
      prog='python -m benchmarks.against_pytorch',
      description='Our network beside the same in PyTorch, in turns.')
  add = parser.add_argument
  add('--modes', nargs='+', default=list(problems.MODES),
      choices=problems.MODES, metavar='MODE',
      help=', '.join(f'{mode} ({what})'
                     for mode, what in problems.MODES.items()))
  add('--batch', nargs='+', type=int, default=[128, 32],
      help='images a step; ten_crop takes an eighth of them')
  add('--contenders', nargs='+', default=list(ENTRIES), choices=ENTRIES,
      metavar='NAME', help=f'all of {", ".join(ENTRIES)}, or some')
  add('--rounds', type=int, default=7, help='turns of each contender')
  add('--steps', type=int, default=1,
      help='steps in a turn, after one that does not count; some twenty on a'
      ' GPU')
  add('--device', default='cpu', choices=('cpu', 'gpu'))
  add('--small', action='store_true', help='a small network, to try this')
  add('--out', default=os.path.join(ROOT, 'benchmarks', 'results.json'),
      help='the JSON file to write')
  args = parser.parse_args(argv)
  for flag in ('rounds', 'steps'):
    if getattr(args, flag) < 1:
      parser.error(f'--{flag} {getattr(args, flag)} measures nothing: give 1'
                   ' or more.')
  if min(args.batch) < 1:
    parser.error(f'--batch {min(args.batch)} has no image: give 1 or more.')
  if 'ours' not in args.contenders:
    parser.error('--contenders leaves out ours, with which all are compared:'
                 ' add it.')
  folder = os.path.dirname(os.path.abspath(args.out))
  if not os.path.isdir(folder) or os.path.isdir(args.out):
    parser.error(f'--out {args.out} cannot be written: name a file in a folder'
                 ' that exists.')
  return args


if __name__ == '__main__':
  main()
