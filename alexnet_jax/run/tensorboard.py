"""TensorBoard's events of a run, in WORKDIR/events.

The folders train/ and validation/ have the same tags, so that TensorBoard draws
both in one chart. The text of the config, the hyperparameters with the final
errors, and pictures of conv1's kernels are in validation/.
"""

import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
from ml_collections import ConfigDict
from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.writer import Event, SessionLog

from alexnet_jax import files
from alexnet_jax.config_files import fields
from alexnet_jax.tables import markdown_code

FOLDER = 'events'
CHARTS = {'train': 'train', 'validation': 'validation', 'final': 'validation'}


class Events:
  """Writes the events of one run.

  The SummaryWriter of tensorboardX passes events to a thread, and its `flush`
  does not wait for the thread. This is the class that the thread writes with.
  """

  def __init__(self, workdir: str, step: int):
    """Opens new files that replace the events from a step on.

    Args:
      workdir: the run's folder.
      step: the first step whose events are written again.
    """
    self._folder = os.path.join(workdir, FOLDER)
    self._writers = {}
    for name in sorted(set(CHARTS.values())):
      folder = os.path.join(self._folder, name)
      os.makedirs(folder, exist_ok=True)
      with files.errors_name(folder):
        # Its name has the second, which two short runs may share.
        writer = EventsWriter(os.path.join(folder, 'events'),
                              f'.{time.time_ns()}')
        writer.write_event(Event(
            wall_time=time.time(), step=step,
            session_log=SessionLog(status=SessionLog.START)))
        writer.flush()
      self._writers[name] = writer

  def config(self, config: dict[str, Any]) -> None:
    """Writes a config as a table, and as hyperparameters.

    Args:
      config: the resolved config.
    """
    values = dict(fields(ConfigDict(config)))
    rows = ['| field | value |', '|---|---|'] + [
        f'| {markdown_code(field)} | {markdown_code(repr(value))} |'
        for field, value in values.items()]
    self._write('validation', 0, summary.text('config', '\n'.join(rows)))
    known = {field: value if isinstance(value, bool | int | float)
             else str(value) for field, value in values.items()}
    for part in summary.hparams(
        known, {'final/one_crop_top1_error': 0, 'loss': 0, 'top1_error': 0}):
      self._write('validation', 0, part)

  def scalars(self, kind: str, step: int, values: Mapping[str, float]) -> None:
    """Writes the numbers of a line of metrics.jsonl to disk.

    Args:
      kind: one of CHARTS.
      step: its step.
      values: {tag: number}.
    """
    prefix = 'final/' if kind == 'final' else ''
    for name, value in values.items():
      self._write(CHARTS[kind], step, summary.scalar(f'{prefix}{name}', value))
    with files.errors_name(self._folder):
      self._writers[CHARTS[kind]].flush()

  def kernels(self, step: int, kernels: np.ndarray) -> None:
    """Writes a picture of conv1's kernels.

    Args:
      step: the step.
      kernels: [K, size, size, 3, kernels] of K columns.
    """
    self._write('validation', step, summary.image(
        'conv1', kernel_picture(kernels), dataformats='HWC'))

  def close(self) -> None:
    """Writes everything to disk."""
    with files.errors_name(self._folder), ExitStack() as stack:
      for writer in self._writers.values():
        stack.callback(writer.close)

  def _write(self, name: str, step: int, written: Any) -> None:
    with files.errors_name(self._folder):
      self._writers[name].write_event(
          Event(wall_time=time.time(), step=step, summary=written))


def kernel_picture(kernels: np.ndarray, zoom: int = 3,
                   in_a_row: int = 16) -> np.ndarray:
  """Returns the kernels of all columns as one picture, uint8 [H, W, 3].

  Each kernel is scaled to the full range of gray. A column begins a new row, as
  in Figure 3.

  Args:
    kernels: [K, size, size, 3, kernels] of K columns.
    zoom: pixels a weight.
    in_a_row: kernels in a row.
  """
  columns, size, _, _, count = kernels.shape
  with np.errstate(invalid='ignore', divide='ignore'):
    low = kernels.min((1, 2, 3), keepdims=True)
    scaled = (kernels - low) / np.ptp(kernels, (1, 2, 3), keepdims=True)
  scaled = np.nan_to_num(scaled, nan=0.5, posinf=1.0, neginf=0.0)
  rows, side = -(-count // in_a_row), zoom * size + 1
  picture = np.full((columns * rows * side + 1, in_a_row * side + 1, 3), 255,
                    np.uint8)
  for k in range(columns):
    for i in range(count):
      top = 1 + (k * rows + i // in_a_row) * side
      left = 1 + i % in_a_row * side
      picture[top:top + side - 1, left:left + side - 1] = np.kron(
          np.uint8(np.rint(255 * scaled[k, ..., i])),
          np.ones((zoom, zoom, 1), np.uint8))
  return picture
