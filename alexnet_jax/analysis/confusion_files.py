"""The files of what a network mixes up: tables and a summary.

Class names are written as `printable` returns them, since tables are also read
in terminals; in the summary they are as they are.
"""

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from alexnet_jax import files
from alexnet_jax.analysis import confusion
from alexnet_jax.analysis.answers import Answers, Example
from alexnet_jax.errors import printable

FOLDER = 'confusion'  # in the workdir of the run
PER_CLASS, MATRIX, SUMMARY = 'per_class.csv', 'confusion.csv', 'summary.json'
# The matrix of more classes would have millions of zeros: a line for each pair
# that occurs takes its place.
MATRIX_CLASSES = 1000
PAIRS = 20  # confusions in the summary


def write(answers: Answers, worst: Sequence[Example],
          uncertain: Sequence[Example], network: Mapping[str, Any], folder: str,
          words: Sequence[str] = ()) -> dict[str, Any]:
  """Writes per_class.csv, confusion.csv and summary.json.

  Args:
    answers: the answers to all images.
    worst: the images of `answers.worst`.
    uncertain: those of `answers.uncertain`.
    network: what the summary says of the network, such as its workdir.
    folder: the folder; created if it does not exist.
    words: the readable class names, if they are not the class names.

  Returns:
    The content of summary.json.
  """
  _write_csv(os.path.join(folder, PER_CLASS), _class_rows(answers, words))
  _write_csv(os.path.join(folder, MATRIX), _matrix_rows(answers))
  content = dict(network) | summary(answers, worst, uncertain)
  files.write_json(os.path.join(folder, SUMMARY), content)
  return content


def _write_csv(path: str, rows: Iterable[Sequence[Any]]) -> None:
  with files.atomic_write(path) as file:
    text = io.TextIOWrapper(file, 'utf-8', newline='', write_through=True)
    csv.writer(text, lineterminator='\n').writerows(rows)
    text.detach()


def _class_rows(answers, words):
  counted = confusion.per_class(answers)
  low, high = confusion.wilson(counted.top1_errors, counted.images)
  named = ['words'] if words else []
  yield ['class', *named, 'images', 'predicted', 'errors', 'top1_error',
         'top1_low', 'top1_high', 'top5_error']
  for i, name in enumerate(answers.class_names):
    images, errors = int(counted.images[i]), counted.top1_errors[i]
    shares = [f'{errors / images:.4f}', f'{low[i]:.4f}', f'{high[i]:.4f}',
              f'{counted.top5_errors[i] / images:.4f}'] if images else [''] * 4
    yield [printable(name), *([printable(words[i])] if words else []), images,
           int(counted.predicted[i]), f'{errors:g}', *shares]


def _matrix_rows(answers):
  names = [*map(printable, answers.class_names)]
  counted = confusion.pairs(answers)
  if len(names) > MATRIX_CLASSES:
    yield ['true', 'predicted', 'images']
    for true, predicted, images in counted.tolist():
      yield [names[true], names[predicted], images]
    return
  matrix = np.zeros((len(names), len(names)), np.int64)
  matrix[counted[:, 0], counted[:, 1]] = counted[:, 2]
  yield ['true class, then images by predicted class', *names]
  for name, row in zip(names, matrix.tolist(), strict=True):
    yield [name, *row]


def summary(answers: Answers, worst: Sequence[Example],
            uncertain: Sequence[Example]) -> dict[str, Any]:
  """Returns the summary, as JSON takes it.

  Args:
    answers: the answers to all images.
    worst: the images of `answers.worst`.
    uncertain: those of `answers.uncertain`.
  """
  names = answers.class_names
  counted = confusion.per_class(answers)
  bins = confusion.calibration(answers)
  return {
      'images': len(answers.labels),
      'crops': answers.crops,
      **answers.errors,
      'classes': len(names),
      'classes_without_images': [
          names[i] for i in np.flatnonzero(counted.images == 0)],
      'most_confused': [
          {'true': names[true], 'predicted': names[predicted], 'images': images,
           'of': int(counted.images[true])}
          for true, predicted, images in
          confusion.confused_pairs(answers)[:PAIRS].tolist()],
      'expected_calibration_error': bins.error,
      'calibration': [
          {'from': round(float(low), 4), 'to': round(float(high), 4),
           'images': int(images), 'right': float(right),
           'mean_probability': float(mean) if images else None}
          for low, high, images, right, mean in zip(
              bins.edges[:-1], bins.edges[1:], bins.images, bins.right,
              bins.probability, strict=True)],
      'worst': [_record(one, names) for one in worst],
      'uncertain': [_record(one, names) for one in uncertain]}


def _record(example, names):
  return {'image': example.where, 'index': example.index,
          'true': names[example.true],
          'true_probability': example.label_probability,
          'predicted': names[example.predicted],
          'probability': example.probability,
          'second': names[example.second],
          'second_probability': example.second_probability}
