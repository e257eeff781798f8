"""The report of --task=report: our numbers beside the paper's, in Markdown."""

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from alexnet_jax import tables
from alexnet_jax.results import claims, figure1_ratios, runs
from alexnet_jax.results.claims import Claim
from alexnet_jax.results.runs import Estimate, Run, SignTest

HEAD = """# Our numbers beside the paper's

Written by {command} from {finished} \
finished runs in {folder}. Errors are in percent, top-1 / top-5; with \
several seeds, the mean +- its standard error. A number with a sign is a \
difference to the error of another config in percentage points, taken between \
runs with the same seed, form, data and steps; a positive difference is worse. \
"Seeds worse" counts the seeds with a larger top-1 error, with the p of a \
two-sided sign test: two seeds that agree have 0.5 and three 0.25, so that it \
is the rows together, and the size of the error, that tell.

The numbers of the paper and its program are for ImageNet (ILSVRC-2010 or \
2012) or CIFAR-10, as noted beside them. **Ours are for the validation images \
of the data set in their row**: {data}. Where the data differ, or our run is \
shorter or our network narrower than theirs, compare signs and not sizes."""
NOT_RUN = """## Not run

The remaining numbers, each with the command that measures it unless it is of \
others. What --task=evaluate and --task=curves print is not read by this \
report."""
CLAIM_HEAD = ('what', 'section', 'paper or program', 'ours', 'ours - theirs',
              'seeds worse', 'crops', 'data set', 'steps', 'seeds', 'command')
NOT_RUN_HEAD = ('what', 'section', 'paper or program', 'command')
OF_OTHERS = 'of others'
RUN_HEAD = ('config', 'error', 'crops', 'data set', 'steps', 'seeds', 'minutes',
            'command')


class ClaimRow(NamedTuple):
  """A claim and our results for it."""

  claim: Claim
  runs: Sequence[Run] = ()  # Of its config, one per seed; (): not run.
  crops: str = ''
  # None: the config that it is compared with has not been run.
  top1: Estimate | None = None
  top5: Estimate | None = None
  worse: SignTest | None = None  # Of the top-1 errors; None: not a difference.


def as_markdown(
    folder: str, all_claims: Sequence[Claim], finished: Sequence[Run],
    unfinished: Sequence[str]) -> str:
  """Formats the whole report.

  Args:
    folder: the folder that contains the workdirs of the runs.
    all_claims: the claims; each has one row or more.
    finished: the finished runs.
    unfinished: the workdirs of the other runs.
  """
  data = '; '.join(sorted({run.data for run in finished}))
  command = f'python launch.py --task=report --workdir={folder}'
  parts = [HEAD.format(command=tables.markdown_code(command),
                       finished=len(finished),
                       folder=tables.markdown_code(folder),
                       data=tables.markdown_text(data))]
  rows = claim_rows(all_claims, finished)
  measured = [row for row in rows if row.runs]
  ratios = {claim: found for claim in all_claims if claim.ratio
            if (found := figure1_ratios.read(claim.config, finished))}
  if measured or ratios:
    parts += ['## Claims', tables.markdown(CLAIM_HEAD, [
        *(_ratio_cells(*of_claim) for of_claim in ratios.items()),
        *map(_claim_cells, measured)])]
  groups = grouped(finished)
  counted = {run.workdir for group in groups for run in group}
  in_figures = {claim.config for claim in all_claims if claim.ratio}
  groups = [group for group in groups if group[0].name not in in_figures]
  if groups:
    parts += ['## All runs', tables.markdown(RUN_HEAD, map(_run_cells, groups))]
  left = [row.claim for row in rows
          if not row.runs and row.claim not in ratios]
  if left:
    parts += [NOT_RUN, tables.markdown(NOT_RUN_HEAD, map(_not_run_cells, left))]
  repeated = [run.workdir for run in finished if run.workdir not in counted]
  if repeated:
    parts.append('Not counted, since they repeat an experiment with the same'
                 f' seed: {_list(repeated)}')
  if unfinished:
    parts.append('Not counted, since they are not finished:'
                 f' {_list(unfinished)}')
  return '\n\n'.join(parts) + '\n'


def claim_rows(all_claims: Iterable[Claim],
               finished: Sequence[Run]) -> list[ClaimRow]:
  """Returns a row per claim and per form, data set and length that was run."""
  rows = []
  for claim in all_claims:
    # A ratio is measured on several runs together: figure1_ratios.py.
    groups = [group for group in grouped(finished)
              if _is_of(claim, group[0]) and not claim.ratio]
    rows += ([_claim_row(claim, group, finished) for group in groups]
             or [ClaimRow(claim)])
  return rows


def grouped(finished: Iterable[Run]) -> list[list[Run]]:
  """Groups runs that differ only in the seed, with one run per seed."""
  groups = {}
  for run in finished:
    sections = [run.config[name] for name in ('model', 'augment', 'optimizer')]
    key = (run.name, run.conditions, json.dumps(sections, sort_keys=True))
    groups.setdefault(key, {}).setdefault(run.seed, run)
  return [[group[seed] for seed in sorted(group)]
          for _, group in sorted(groups.items())]


def _is_of(claim, run):
  """Returns whether a run is of the claim's config, form and test."""
  # ResNets have a number of steps behind their form.
  return (run.name == claim.config
          and claim.form in ('', run.form, run.form.partition(',')[0])
          and (not claim.crops or claim.crops in runs.crops([run])))


def _claim_row(claim, group, finished):
  if not claim.against:
    crops = claim.crops or runs.crops(group)[-1]
    top1, top5 = (runs.error(group, crops, top) for top in (1, 5))
    return ClaimRow(claim, group, crops, top1, top5)
  base = {run.seed: run for run in reversed(finished)
          if run.name == claim.against
          and run.conditions == group[0].conditions}
  paired = [run for run in group if run.seed in base]
  if not paired:
    return ClaimRow(claim, group)
  others = [base[run.seed] for run in paired]
  crops = runs.crops([*paired, *others])[-1]
  by_seed = runs.differences(paired, others, crops, 1)
  return ClaimRow(claim, paired, crops, runs.estimate([*by_seed.values()]),
                  runs.difference(paired, others, crops, 5),
                  runs.sign_test(by_seed.values()))


def _claim_cells(row):
  claim, signed = row.claim, bool(row.claim.against)
  gap = ''
  if row.top1 is None:
    ours = f'no run of {claim.against} to compare with'
  else:
    estimates = row.top1, row.top5
    ours = _pair(runs.as_text(estimate, signed) for estimate in estimates)
    if _is_given(claim):
      gap = _pair('' if number is None else f'{estimate.mean - number:+.2f}'
                  for estimate, number in zip(
                      estimates, _numbers(claim), strict=True))
  form = row.runs[0].form
  what = f'{claim.what} ({tables.markdown_text(form)})'
  return [what if form else claim.what, claim.section,
          theirs(claim), ours, gap,
          runs.sign_as_text(row.worse) if row.worse else '', row.crops,
          *_common_cells(row.runs), tables.markdown_code(row.runs[0].command)]


def _ratio_cells(claim, ratios):
  values = [one.ratio.value for one in ratios if one.ratio.value is not None]
  gap = f'{runs.estimate(values).mean - claim.ratio:+.1f}' if values else ''
  steps = '; '.join(
      f'{name} {", ".join(str(one.steps[name]) for one in ratios)}'
      for name in ratios[0].steps)
  return [claim.what, claim.section, theirs(claim),
          figure1_ratios.as_text(ratios), gap, '', '',
          tables.markdown_text(ratios[0].data), steps,
          ', '.join(str(one.seed) for one in ratios),
          tables.markdown_code(ratios[0].command)]


def _not_run_cells(claim):
  command = claim.command
  if claim.config and not command:
    command = runs.command(
        claim.path, {}, task='figure1' if claim.ratio else '')
  return [claim.what, claim.section, theirs(claim),
          tables.markdown_code(command) if command else OF_OTHERS]


def theirs(claim: Claim) -> str:
  """Formats what the paper or its program has for a claim."""
  if claim.ratio:
    return f'{claim.ratio:g} times ({claim.source})'
  if not _is_given(claim):
    return claim.source
  return _pair('' if number is None else
               f'{number:+.2f}' if claim.against else f'{number:.2f}'
               for number in _numbers(claim)) + f' ({claim.source})'


def _numbers(claim):
  return claim.top1_error, claim.top5_error


def _is_given(claim):
  return _numbers(claim) != (None, None)


def _run_cells(group):
  crops = runs.crops(group)[-1]
  error = _pair(runs.as_text(runs.error(group, crops, top)) for top in (1, 5))
  minutes = runs.estimate([run.minutes for run in group]).mean
  return [tables.markdown_text(
      group[0].path.removeprefix(claims.FOLDER + '/')), error, crops,
          *_common_cells(group), f'{minutes:.1f}',
          tables.markdown_code(group[0].command)]


def _common_cells(group):
  return [tables.markdown_text(group[0].data), str(group[0].steps),
          ', '.join(str(run.seed) for run in group)]


def _list(workdirs):
  return ', '.join(map(tables.markdown_code, workdirs)) + '.'


def _pair(cells):
  return ' / '.join(cell or '-' for cell in cells)
