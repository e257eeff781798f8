"""The parts of a page that show what a network answers to pictures."""

from collections.abc import Sequence

import cv2
import numpy as np

from alexnet_jax.analysis import answers as answering
from alexnet_jax.analysis import confusion
from alexnet_jax.analysis.answers import Answers, Example
from alexnet_jax.data import images
from alexnet_jax.data.sources import Source, evenly_spread
from alexnet_jax.figures import calibration
from alexnet_jax.figures import confusion as matrix
from alexnet_jax.pages import markup

SHOWN = 12  # pictures of each kind, and lines of each table
SIDE, QUALITY = 160, 82  # of a picture, in pixels, and of its JPEG


def confusions(answers: Answers, source: Source, names: Sequence[str]) -> str:
  """Returns what is confused, the hardest classes and the calibration.

  Args:
    answers: the answers of the network.
    source: the pictures, in the same order.
    names: the names of the classes as they are shown.
  """
  total, right = len(names), 1 - answers.errors['top1_error']
  block = confusion.most_confused(answers)
  part = ('' if len(block.classes) == total else f' Of the {total:,} classes,'
          f' {len(block.classes)} with the most confusions are drawn; gray is'
          ' any other answer.')
  reliability = confusion.calibration(answers)
  return (
      markup.paragraph(
          f'One crop of {len(source):,} validation pictures:'
          f' {markup.percent(right)} of the first guesses are right.')
      + markup.figure(
          markup.drawn(lambda path: matrix.draw(block, total, names, path)),
          'The matrix of confusions; the tables below have its largest'
          ' numbers.', 'A row for each class, a column for each answer, in'
          f' percent of the row. Blue is right, orange is wrong.{part}')
      + markup.side_by_side(
          markup.heading('Most frequent confusions')
          + _confused(answers, names),
          markup.heading('Classes with the most errors')
          + _hardest(answers, names))
      + markup.heading('Is it as certain as it is right?')
      + markup.figure(
          markup.drawn(lambda path: calibration.draw(reliability, path)),
          'The share of right answers against their probability. On average'
          f' they are {markup.percent(reliability.error)} apart.',
          'Answers are sorted by their probability; the line shows how many of'
          ' them are right, and the bars how many there are. On the dotted line'
          ' the network knows how much it knows.', 'small'))


def _confused(answers, names):
  counted = confusion.per_class(answers)
  pairs = confusion.confused_pairs(answers)[:SHOWN].tolist()
  return markup.table(
      ('class', 'taken for', 'pictures', 'of its class'),
      [(names[true], names[predicted], str(count),
        markup.percent(count / counted.images[true], 0))
       for true, predicted, count in pairs], words=(0, 1))


def _hardest(answers, names):
  counted = confusion.per_class(answers)
  low, high = confusion.wilson(counted.top1_errors, counted.images)
  shares = counted.top1_errors / np.maximum(counted.images, 1)
  hardest = [i for i in np.argsort(-shares, kind='stable')
             if counted.images[i]][:SHOWN]
  return markup.table(
      ('class', 'pictures', 'top-1 error', '95 % interval'),
      [(names[i], str(counted.images[i]), markup.percent(shares[i], 0),
        f'{100 * low[i]:.0f} to {markup.percent(high[i], 0)}')
       for i in hardest])


def pictures(answers: Answers, source: Source, names: Sequence[str]) -> str:
  """Returns pictures: some, the worst and the least certain answers.

  Args:
    answers: the answers of the network.
    source: the pictures, in the same order.
    names: the names of the classes as they are shown.
  """
  kinds = (
      ('Some pictures', 'Evenly spread over the validation pictures.'
       ' Below each is the answer with its probability; if it is wrong, also'
       ' the class with the probability that it was given.',
       answering.examples(
           answers, source, evenly_spread(len(source), SHOWN))),
      ('Worst', 'The wrong answers that the network is most certain of.',
       answering.worst(answers, source, SHOWN)),
      ('Least certain', 'The answers with the lowest probability.',
       answering.uncertain(answers, source, SHOWN)))
  return ''.join(
      markup.heading(title) + markup.paragraph(meaning, 'note')
      + markup.tiles(_tile(one, names) for one in shown)
      for title, meaning, shown in kinds if shown)


def _tile(example: Example, names: Sequence[str]) -> str:
  """Returns a picture with its class and the network's answer below."""
  true, predicted = names[example.true], names[example.predicted]
  right = example.true == example.predicted
  side = min(SIDE, len(example.picture))
  small = cv2.resize(example.picture, (side, side),
                     interpolation=cv2.INTER_AREA)
  picture = markup.picture(
      images.encode_jpeg(small, QUALITY),
      f'A picture of {true}, taken for {predicted}: {example.where}', 'jpeg')
  kind, sign = ('right', '&check;') if right else ('wrong', '&cross;')
  return (
      f'<figure title="{markup.text(example.where)}">{picture}<figcaption>'
      f'<b class="{kind}">{sign} {markup.name(predicted)}'
      f' {markup.percent(example.probability, 0)}</b>'
      + ('' if right else f'is {markup.name(true)}'
         f' ({markup.percent(example.label_probability, 0)})')
      + '</figcaption></figure>')
