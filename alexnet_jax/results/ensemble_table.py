"""The table and the JSON line of several networks and of their average."""

import json
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from alexnet_jax import tables
from alexnet_jax.results import averages, runs
from alexnet_jax.results.averages import PerImage
from alexnet_jax.results.predictions import Predictions
from alexnet_jax.results.runs import Estimate

HEAD = ('network', 'crops', 'weight', 'images', 'loss', 'top-1 error',
        'top-5 error', 'top-1 gain', 'top-5 gain')
# The most networks of which all smaller averages are measured: the seven of
# Table 2, of which 127 sets can be averaged.
SEVERAL = 7


class Measured(NamedTuple):
  """Networks and their average on the same images."""

  rows: list[tuple[str, ...]]  # of the table
  result: dict[str, Any]  # the content of the JSON line
  mean: PerImage  # the errors of one network, on the average
  average: PerImage  # those of the average


def report(predictions: Sequence[Predictions],
           weights: Sequence[float] | None,
           against: Sequence[Predictions] = ()) -> dict[str, Any]:
  """Prints the table and the line of JSON, and returns its content.

  Args:
    predictions: the networks' predictions.
    weights: the weight of each network; None to search for them.
    against: networks whose average is compared with this one; if there are
      any, the weights are given.
  """
  ours = _measure(predictions, weights)
  rows, result = ours.rows, ours.result
  if against:
    theirs = _measure(against, [1.0] * len(against))
    gains = {'mean': averages.gains(theirs.mean, ours.mean),
             'average': averages.gains(theirs.average, ours.average)}
    rows = [*rows, _row('--against:'), *theirs.rows,
            _row('the first mean over the second', gains=gains['mean']),
            _row('the first average over the second', gains=gains['average'])]
    result |= {'against': theirs.result, 'gain_over_against': {
        name: _gains_as_json(gain) for name, gain in gains.items()}}
  print('\n'.join(tables.aligned([HEAD, *rows])))
  print(json.dumps(result))
  return result


def _measure(predictions, weights):
  """Measures each network, all smaller averages and the average."""
  labels = predictions[0].labels
  every = [one.probabilities for one in predictions]
  alone = [averages.per_image(outputs, labels) for outputs in every]
  mean = averages.mean_of(alone)
  shares, averaged = _averaged(every, labels, weights)
  rows = [_row(f'{one.workdir}, step {one.step}', each,
               crops=str(one.views), weight=f'{weight:.4g}')
          for one, weight, each in zip(predictions, shares, alone, strict=True)]
  result = {'networks': [
      {'workdir': one.workdir, 'step': one.step, 'views': one.views,
       'weight': float(weight), **averages.mean_errors(each)}
      for one, weight, each in zip(predictions, shares, alone, strict=True)]}
  if len(every) > 1:
    rows.append(_row('mean of the networks', mean))
  if weights and len({*weights}) == 1 and 2 < len(every) <= SEVERAL:
    sizes = [(size, math.comb(len(every), size), each) for size, each
             in enumerate(averages.by_size(every, labels), 1)]
    rows += [_row(f'mean of the {sets} averages of {size}', each,
                  averages.gains(mean, each))
             for size, sets, each in sizes[1:-1]]
    result['averages_of'] = [
        {'networks': size, 'sets': sets, **_as_json(each, mean)}
        for size, sets, each in sizes]
  entries = []
  for name, (images, each) in averaged.items():
    before = {error: values[images] for error, values in mean.items()}
    gains = averages.gains(before, each) if len(every) > 1 else None
    rows.append(_row(name, each, gains))
    entries.append({'images': int(images.sum()), **_as_json(each, before)})
  result = {**entries[-1], **result}
  if weights is None:
    result |= {'searched_on': entries[0], 'equal_weights': entries[1]}
  return Measured(rows, result, mean, each)


def _averaged(every, labels, weights):
  """Returns the weights and, by name, images and errors of the averages."""
  equal = [1.0] * len(every)
  if weights is None:
    searched, others = averages.halves(labels)
    shares = averages.search(
        [outputs[searched] for outputs in every], labels[searched]).tolist()
    chosen = {'searched weights, images searched': (shares, searched),
              'equal weights, other images': (equal, others),
              'searched weights, other images': (shares, others)}
  else:
    shares = weights
    chosen = {'average': (shares, np.ones(len(labels), bool))}
  return shares, {
      name: (images, averages.per_image(averages.average(
          [outputs[images] for outputs in every], of_row), labels[images]))
      for name, (of_row, images) in chosen.items()}


def _row(name, each=None, gains=None, crops='', weight=''):
  """Returns the cells of a row; gains are in percentage points."""
  cells = [''] * 4
  if each:
    errors = averages.mean_errors(each)
    cells = [str(len(each['loss'])), f'{errors["loss"]:.4f}',
             f'{errors["top1_error"]:.2%}', f'{errors["top5_error"]:.2%}']
  gained = [runs.as_text(_percent(gain), sign=True)
            for gain in gains.values()] if gains else ['', '']
  return (name, crops, weight, *cells, *gained)


def _percent(gain):
  error = gain.standard_error
  return Estimate(100 * gain.mean, None if error is None else 100 * error)


def _as_json(each, before):
  """Returns the errors of an average and its gain over `before`."""
  return averages.mean_errors(each) | {
      'gain': _gains_as_json(averages.gains(before, each))}


def _gains_as_json(gains):
  """Returns {'top1_error': ..., 'top1_standard_error': ...} and of top-5."""
  return {
      key: value for name, gain in gains.items() for key, value in (
          (name, gain.mean),
          (name.replace('_error', '_standard_error'), gain.standard_error))}
