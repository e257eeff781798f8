"""The part of a page that says in numbers what came out of a run."""

import datetime
import math
import os
from collections.abc import Mapping, Sequence

import jax

from alexnet_jax.learning import augment
from alexnet_jax.network import classifier
from alexnet_jax.pages import markup
from alexnet_jax.pages.record import Record
from alexnet_jax.results import runs
from alexnet_jax.run import checkpoint
from alexnet_jax.run.trained import Trained

MEANINGS = {1: 'of the pictures: the first guess is wrong',
            5: 'of the pictures: none of five guesses is right'}


def opening_sentence(run: Record, network: Trained) -> str:
  """Says in a sentence what was trained and whether it is finished."""
  data = network.settings.data
  where = (os.path.basename(data.path.rstrip('/')) if data.path else
           f'the {data.name} pictures')
  said = (f'{_name(network)} on'
          f' {len(network.class_names):,} classes of {where}')
  if run.init_from:
    said += f', started from {os.path.basename(run.init_from.rstrip("/"))}'
  if run.final.get('step') == network.step:
    return f'{said}. Finished after {network.step:,} steps.'
  return (f'{said}. Not finished: this is the checkpoint of step'
          f' {network.step:,}.')


def _name(network: Trained) -> str:
  return network.settings.config['model']['name']


def numbers(run: Record, network: Trained, names: Sequence[str]) -> str:
  """Returns the errors, large, and a table of what else is known of a run.

  Args:
    run: its records.
    network: its checkpoint.
    names: the names of the classes as they are shown.
  """
  classes = len(network.class_names)
  errors = _errors(run, network.step)
  shown = [(crops, top) for crops in errors for top in (1, 5)
           if top < classes]
  big = [(markup.percent(errors[crops][f'top{top}_error']), _title(crops, top),
          MEANINGS[top]) for crops, top in shown]
  guessing = 1 - 1 / classes
  big.append((markup.percent(guessing), 'Guessing at random',
              f'the top-1 error of a network that knows none of the'
              f' {classes:,} classes'))
  return (markup.facts(big) + (
      '' if errors else markup.paragraph(
          'There was no validation yet, so there are no errors.', 'note'))
      + markup.table((), _facts(run, network, names), words=(0, 1)))


def _errors(run: Record, step: int) -> dict[str, Mapping[str, float]]:
  """Returns {crops: errors}, of the final test or of the last validation."""
  if run.final.get('step') == step:
    crops = [name for name in augment.CROPS.values()
             if all(f'{name}_crop_top{k}_error' in run.final for k in (1, 5))]
    return {name: {key.removeprefix(f'{name}_crop_'): value
                   for key, value in run.final.items()
                   if key.startswith(f'{name}_crop_')}
            for name in reversed(crops)}
  validations = [line for line in run.lines if line['kind'] == 'validation'
                 and line['step'] <= step
                 and {'top1_error', 'top5_error'} <= set(line)]
  return {'one': validations[-1]} if validations else {}


def _title(crops: str, top: int) -> str:
  return f'Top-{top} error, {crops} crop{"" if crops == "one" else "s"}'


def _facts(run: Record, network: Trained,
           names: Sequence[str]) -> list[tuple[str, str]]:
  """Returns (name, value) of all that is known about a run."""
  settings = network.settings
  batch = settings.optimizer.batch_size
  parameters = sum(math.prod(leaf.shape)
                   for leaf in jax.tree.leaves(
                       classifier.split(network.params)[0]))
  rows = [('Network', f'{_name(network)}, {parameters:,} parameters'
           f' in {network.model.num_columns} '
           + ('column' if network.model.num_columns == 1 else 'columns')),
          ('Classes', f'{len(network.class_names):,}: '
           + _listed(names))]
  with checkpoint.open_to_read(run.workdir) as manager:
    saved = checkpoint.saved_at(manager, network.step)
  count = network.train_examples
  rows.append(('Training pictures',
               f'{f"{count:,}" if count else "not known"}, squares of'
               f' {settings.data.image_size} pixels; patches of'
               f' {network.model.patch}'))
  images = network.step * batch
  epochs = f', {images / count:.1f} epochs' if count else ''
  rows.append(('Length', f'{network.step:,} steps of {batch:,} images'
               f'{epochs}: {images:,} images seen'))
  minutes = runs.minutes(run.lines, batch)
  if minutes:
    seconds = round(60 * minutes)
    rows.append(('Time of the training steps',
                 f'{datetime.timedelta(seconds=seconds)} (h:min:s),'
                 f' {images / (60 * minutes):,.0f} images/s'))
  if run.machine:
    rows.append(('Machine', _machine(run, network)))
  if saved:
    when = datetime.datetime.fromtimestamp(saved / 1e9, datetime.UTC)
    rows.append(('Checkpoint', f'step {network.step:,}, saved'
                 f' {when:%Y-%m-%d %H:%M} UTC'))
  return rows


def _machine(run: Record, network: Trained) -> str:
  """Describes what the run computed on."""
  about, mesh = run.machine, network.settings.config['mesh']
  devices = mesh['data'] * mesh['column']
  if about.get('device') == 'cpu':
    device = f'{about.get("processor")}, {about.get("cores")} cores'
  else:
    device = f'{devices} x {about.get("device")}'
  return (f'{device}; {network.settings.precision}; JAX {about.get("jax")}')


def _listed(names: Sequence[str], most: int = 12) -> str:
  more = f' and {len(names) - most:,} more' if len(names) > most else ''
  return ', '.join(names[:most]) + more
