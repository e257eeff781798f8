"""The ablations of one form seed by seed, as Markdown, for a page of docs/."""

import statistics
from collections.abc import Iterable, Sequence

from alexnet_jax import tables
from alexnet_jax.errors import InputError, printable
from alexnet_jax.results import claims, report_table, runs
from alexnet_jax.results.claims import Claim
from alexnet_jax.results.report_table import ClaimRow
from alexnet_jax.results.runs import Run
from alexnet_jax.run import journal

HEAD = ('changed', 'section', 'training', 'one crop', '{crops} crops',
        'more than the baseline', 'mean +- error', 'seeds worse',
        'paper or program')
MISSING = '-'
BASELINE = f'{claims.TABLE}/{claims.BASELINE}'


def as_markdown(form: str, all_claims: Sequence[Claim],
                finished: Sequence[Run]) -> str:
  """Formats the ablations of one form: top-1 errors in percent, by seed.

  Training errors are means since the last validation but one, as the network
  was trained. Differences are of the errors with the most crops, as in the
  report, which also has the runs with changed fields.

  Args:
    form: such as 'overfit'.
    all_claims: the claims, in the order of the rows.
    finished: the finished runs.

  Returns:
    A sentence that says which seeds the numbers are of, and a table.

  Raises:
    InputError: no ablation of this form has been finished.
  """
  of_table = [run for run in finished if run.name.startswith(
      f'{claims.TABLE}/')]
  chosen = [run for run in of_table if run.form == form and not run.changed]
  if not chosen:
    forms = sorted({run.form for run in of_table if run.form})
    raise InputError(
        f'--form={printable(form)}: no ablation of this form has been finished.'
        + (f' Give one of {printable(", ".join(forms))}.' if forms else ''))
  rows = [row for row in report_table.claim_rows(all_claims, chosen)
          if row.runs]
  rows.sort(key=lambda row: bool(row.claim.against))  # the baseline first
  base = [run for row in rows if not row.claim.against for run in row.runs]
  # A baseline may have more seeds, for averages of networks.
  changed = [run for run in chosen if run.name != BASELINE]
  seeds = sorted({run.seed for run in changed or chosen})
  crops = runs.crops(chosen)[-1]
  head = [cell.format(crops=crops) for cell in HEAD]
  table = tables.markdown(
      head, (_cells(row, base, seeds, crops) for row in rows))
  return f'{_order(seeds)}\n\n{table}\n'


def training_error(run: Run) -> float | None:
  """Returns the mean top-1 training error since the last validation but one.

  None: the run logged none.
  """
  lines = journal.read(run.workdir)
  at = [line['step'] for line in lines if line['kind'] == 'validation']
  since = at[-2] if len(at) > 1 else 0
  errors = [line['top1_error'] for line in lines
            if line['kind'] == 'train' and line['step'] > since
            and 'top1_error' in line]
  return statistics.fmean(errors) if errors else None


def _order(seeds):
  if len(seeds) == 1:
    return f'Seed {seeds[0]}.'
  return (f'Seeds {", ".join(map(str, seeds))}, in this order; {MISSING} is a'
          ' seed that was not run to its end.')


def _cells(row: ClaimRow, base: Iterable[Run], seeds: Sequence[int],
           crops: str) -> list[str]:
  def by_seed(values, text='{:.1f}'):
    return ', '.join(MISSING if values.get(seed) is None
                     else text.format(values[seed]) for seed in seeds)

  name = row.claim.config.removeprefix(f'{claims.TABLE}/')
  cells = [f'{row.claim.what} ({tables.markdown_code(name)})',
           row.claim.section,
           by_seed({run.seed: _percent(training_error(run))
                    for run in row.runs}),
           *(by_seed({run.seed: _percent(run.errors[f'{test}_crop_top1_error'])
                      for run in row.runs}) for test in ('one', crops))]
  if not row.claim.against:
    return [*cells, '', '', '', report_table.theirs(row.claim)]
  like = row.runs[0]
  more = runs.differences(
      row.runs, [run for run in base if run.name == row.claim.against
                 and run.conditions == like.conditions], crops, 1)
  return [*cells, by_seed(more, '{:+.1f}'),
          runs.as_text(runs.estimate([*more.values()]), sign=True),
          runs.sign_as_text(runs.sign_test(more.values())),
          report_table.theirs(row.claim)]


def _percent(share):
  return None if share is None else 100 * share
