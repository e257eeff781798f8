"""--task=report: our numbers beside the paper's and its program's, as Markdown.

Needs no config and no data: everything lies in the workdirs of the runs.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from alexnet_jax.errors import InputError
from alexnet_jax.results import claims, runs
from alexnet_jax.results.claims import Claim
from alexnet_jax.results.runs import Estimate, Run

NAME = 'report.md'
FIGURE = 'figure1.json'  # the numbers that --task=figure1 writes
NOT_RUN = 'not run'
HEAD = """# Our numbers beside the paper's

Of {finished} finished runs in `{folder}`, written by `python launch.py \
--task=report --workdir={folder}`. Errors are in percent, top-1 / top-5; with \
several seeds a mean +- its standard error. A number with a sign is a \
difference to the error of another config, in percent points, taken between \
runs with the same seed, form, data and steps: more than nought is worse.

The paper's and its program's numbers are of ImageNet (ILSVRC-2010 or 2012) or \
CIFAR-10, as is said beside them. **Ours are of the data set in their row**: \
{data}. Where that is other data, or a shorter run or a narrower net than \
theirs, compare signs and not sizes."""
CLAIMS = ('what', 'section', 'paper or program', 'ours', 'ours - theirs',
          'patches', 'data set', 'steps', 'seeds', 'command')
OTHERS = ('config', 'error', 'patches', 'data set', 'steps', 'seeds', 'minutes',
          'command')


class Row(NamedTuple):
  """A claim and what we have to say to it."""

  claim: Claim
  runs: Sequence[Run] = ()  # of its config, a seed each; none: not run
  patches: str = ''
  top1: Estimate | None = None  # None: runs are missing that it is held against
  top5: Estimate | None = None


def report(folder: str, out: str = '') -> str:
  """Writes the report on all runs below a folder, and prints it.

  Args:
    folder: where the workdirs are, at any depth.
    out: the file to write; '' is FOLDER/report.md.

  Returns:
    The Markdown.

  Raises:
    InputError: no finished run, or a file that cannot be written.
  """
  workdirs = runs.workdirs(folder)
  found = [run for run in map(runs.read, workdirs) if run]
  if not found:
    raise InputError(
        f'--workdir={folder} holds no finished run: give a folder with'
        ' workdirs of runs somewhere below it, or train with --task=train or'
        ' --task=compare.')
  out = out or os.path.join(folder, NAME)
  finished = {run.workdir for run in found}
  text = as_markdown(
      folder, claims.read(), found, figures(folder, found),
      [workdir for workdir in workdirs if workdir not in finished])
  try:
    with open(out, 'w', encoding='utf-8') as file:
      file.write(text)
  except OSError as error:
    raise InputError(f'--out={out} cannot be written ({error.strerror}): give'
                     ' a file name in a folder that is there.') from error
  print(text, end='')
  return text


def figures(folder: str, found: Iterable[Run]
            ) -> dict[str, tuple[Run, dict[str, Any]]]:
  """{config: (one of its runs, the numbers of --task=figure1)}."""
  drawn = {}
  for run in found:
    path = os.path.join(os.path.dirname(run.workdir), FIGURE)
    if run.name not in drawn and os.path.exists(path):
      with open(path, encoding='utf-8') as file:
        drawn[run.name] = run, json.load(file)
  return drawn


def rows(claimed: Iterable[Claim], found: Sequence[Run]) -> list[Row]:
  """Each claim with each form, data set and length that was run, or alone."""
  table = []
  for claim in claimed:
    # A ratio is not of a run but of many; see `figures`.
    groups = [own for own in grouped(found)
              if own[0].name == claim.config and not claim.ratio]
    table += [_row(claim, own, found) for own in groups] or [Row(claim)]
  return table


def grouped(found: Iterable[Run]) -> list[list[Run]]:
  """Runs that differ in nothing but the seed, together; a seed each."""
  groups = {}
  for run in found:
    sections = [run.config[name] for name in ('model', 'augment', 'optimizer')]
    key = (run.name, run.conditions, json.dumps(sections, sort_keys=True))
    groups.setdefault(key, {}).setdefault(run.seed, run)
  return [[group[seed] for seed in sorted(group)]
          for _, group in sorted(groups.items())]


def _row(claim, own, found):
  if not claim.against:
    views = runs.patches(own)[-1]
    return Row(claim, own, views,
               *(runs.error(own, views, top) for top in (1, 5)))
  base = {run.seed: run for run in reversed(found)
          if run.name == claim.against and run.conditions == own[0].conditions}
  both = [run for run in own if run.seed in base]
  if not both:
    return Row(claim, own)
  base = [base[run.seed] for run in both]
  views = runs.patches([*both, *base])[-1]
  return Row(claim, both, views, *(
      runs.difference(both, base, views, top) for top in (1, 5)))


def as_markdown(
    folder: str, claimed: Sequence[Claim], found: Sequence[Run],
    drawn: Mapping[str, tuple[Run, Mapping[str, Any]]],
    unfinished: Sequence[str]) -> str:
  """The whole report.

  Args:
    folder: where the runs lie.
    claimed: every claim gets a row or more.
    found: the finished runs.
    drawn: as `figures` gives them.
    unfinished: workdirs of the other runs.
  """
  data = '; '.join(sorted({run.data for run in found}))
  parts = [HEAD.format(finished=len(found), folder=folder, data=data),
           '## Claims',
           _table(CLAIMS, [
               _figure_cells(row.claim, drawn) if row.claim.ratio
               else _claim_cells(row) for row in rows(claimed, found)
           ])]
  groups = grouped(found)
  counted = {run.workdir for group in groups for run in group}
  without = {claim.config for claim in claimed if claim.ratio}
  groups = [group for group in groups if group[0].name not in without]
  if groups:
    parts += ['## All runs', _table(OTHERS, map(_other_cells, groups))]
  again = [run.workdir for run in found if run.workdir not in counted]
  if again:
    parts.append('The same experiment and seed once more, so not counted: '
                 + _list(again))
  if unfinished:
    parts.append('Not finished, so not counted: ' + _list(unfinished))
  return '\n\n'.join(parts) + '\n'


def _table(head, lines):
  lines = [head, ['---'] * len(head), *lines]
  return '\n'.join(
      '| ' + ' | '.join(cell.replace('|', '\\|') for cell in line) + ' |'
      for line in lines)


def _claim_cells(row):
  claim, signed = row.claim, bool(row.claim.against)
  numbers = claim.top1_error, claim.top5_error
  given = numbers != (None, None)
  theirs = claim.source if not given else _pair(
      '' if number is None else f'{number:+.2f}' if signed else f'{number:.2f}'
      for number in numbers) + f' ({claim.source})'
  if not row.runs:
    return [claim.what, claim.section, theirs, NOT_RUN, *[''] * 5,
            f'`{runs.command(_path(claim), {})}`']
  if row.top1 is None:
    ours, gap = f'no run of {claim.against} to hold against', ''
  else:
    found = row.top1, row.top5
    ours = _pair(runs.as_text(estimate, signed) for estimate in found)
    gap = given and _pair(
        '' if number is None else f'{estimate.mean - number:+.2f}'
        for estimate, number in zip(found, numbers, strict=True)) or ''
  form = row.runs[0].form
  return [f'{claim.what} ({form})' if form else claim.what, claim.section,
          theirs, ours, gap, row.patches,
          *_common_cells(row.runs), f'`{row.runs[0].command}`']


def _figure_cells(claim, drawn):
  theirs = f'{claim.ratio:g} times ({claim.source})'
  run, numbers = drawn.get(claim.config, (None, {}))
  if not numbers:
    command = runs.command(_path(claim), {}, task='figure1')
    return [claim.what, claim.section, theirs, NOT_RUN, *[''] * 5,
            f'`{command}`']
  ratio = numbers['ratio']
  bound = {'>': 'more than ', '<': 'less than '}.get(numbers['ratio_sign'], '')
  data = {field: value for field, value in run.overrides.items()
          if field.startswith('data.')}
  steps = ', '.join(f'{name} {found["steps"]}' for name, found in
                    numbers['nonlinearities'].items())
  return [claim.what, claim.section, theirs,
          'no ratio' if ratio is None else f'{bound}{ratio:.1f} times',
          '' if ratio is None else f'{ratio - claim.ratio:+.1f}', '', run.data,
          steps, str(numbers['seed']),
          f'`{runs.command(run.path, data, task="figure1")}`']


def _other_cells(group):
  views = runs.patches(group)[-1]
  error = _pair(runs.as_text(runs.error(group, views, top)) for top in (1, 5))
  minutes = runs.estimate([run.minutes for run in group]).mean
  return [group[0].path.removeprefix(claims.FOLDER + '/'), error, views,
          *_common_cells(group), f'{minutes:.1f}', f'`{group[0].command}`']


def _common_cells(group):
  return [group[0].data, str(group[0].steps),
          ', '.join(str(run.seed) for run in group)]


def _list(workdirs):
  return ', '.join(f'`{workdir}`' for workdir in workdirs) + '.'


def _pair(cells):
  return ' / '.join(cell or '-' for cell in cells)


def _path(claim):
  return f'{claims.FOLDER}/{claim.config}.py'
