"""What `specialization.measure` returns, as tables: a network, or several."""

from collections.abc import Mapping
from typing import Any

from alexnet_jax import tables
from alexnet_jax.errors import printable


def table_of_columns(numbers: Mapping[str, Any]) -> str:
  """Formats the table of the columns and the test between them.

  Args:
    numbers: the measurements of a network, and its name, 'source'.
  """
  rows = [('column', 'kernels', 'learned', 'colorfulness', 'oriented',
           'cycles/pixel')]
  for k, column in enumerate(numbers['columns'], 1):
    frequency = column['mean_cycles_per_pixel']
    rows.append((
        str(k), str(column['kernels']), f'{100 * column["learned"]:.0f} %',
        f'{column["mean_colorfulness"]:.3f}',
        f'{100 * column["oriented"]:.0f} %',
        '-' if frequency is None else f'{frequency:.3f}'))
  lines = [f'{printable(numbers["source"])}: {_size(numbers)}',
           *tables.aligned(rows), _noise(numbers)]
  difference = numbers['difference']
  if difference:
    lines.append(
        f'The means of the columns are {difference["value"]:.3f} apart: p ='
        f' {difference["p_value"]:.2g} ({difference["permutations"]:,}'
        ' permutations).')
  return '\n'.join(lines)


def table_of_networks(numbers: Mapping[str, Any]) -> str:
  """Formats the mean colorfulness of each column, a line for each network.

  Args:
    numbers: 'rows' has the measurements of each network by name;
      'p_value_over_runs' is there if they are runs.
  """
  first = next(iter(numbers['rows'].values()))
  columns = range(1, len(first['columns']) + 1)
  rows = [('colorfulness', *(f'column {k}' for k in columns), 'apart', 'p',
           'learned')]
  for name, row in numbers['rows'].items():
    apart = row['difference']
    learned = [column['learned'] for column in row['columns']]
    rows.append((
        name,
        *(f'{column["mean_colorfulness"]:.3f}' for column in row['columns']),
        *((f'{apart["value"]:.3f}', f'{apart["p_value"]:.2g}') if apart
          else ('-', '-')),
        f'{100 * sum(learned) / len(learned):.0f} %'))
  lines = [f'{len(columns) * first["columns"][0]["kernels"]} {_size(first)}',
           *tables.aligned(rows), _noise(first)]
  if 'p_value_over_runs' in numbers:
    lines.append(
        f'All {len(numbers["rows"])} runs together: p ='
        f" {numbers['p_value_over_runs']:.2g} by Fisher's method, if each has"
        ' a seed of its own; either column may be the colorful one.')
  return '\n'.join(lines)


def _size(numbers):
  return 'kernels of {} x {} x 3'.format(*numbers['size'])


def _noise(numbers):
  noise = numbers['random_kernels']
  return (f'Random kernels have a colorfulness of {noise["colorfulness"]:.3f}'
          f' (± {noise["stddev"]:.3f} from one to the next).')
