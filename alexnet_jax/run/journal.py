"""Records of a run: progress, metrics, TensorBoard events and its config.

metrics.jsonl has one object per line: {"step", "kind", ...}. The kind is
'train', 'validation' or, in the last line of a finished run, 'final'. A line of
training has the means since the last one, and PACE: the learning rate of the
kernels, images per second, seconds per step and the share of them spent waiting
for data. A resumed run deletes the lines after the step that it resumes from,
so no step occurs twice. config.json has the resolved config and command.txt the
command line. A number that is not finite is null in metrics.jsonl, as JSON has
no NaN.
"""

import errno
import json
import math
import os
import sys
import time
from collections.abc import Iterator, Mapping
from types import NoneType
from typing import Any

import numpy as np
from tqdm import auto, tqdm

from alexnet_jax import files
from alexnet_jax.errors import printable
from alexnet_jax.run.tensorboard import Events

METRICS, CONFIG = 'metrics.jsonl', 'config.json'
COMMAND = 'command.txt'
FINAL = ('final', 'test')  # 'test' in runs before version 1.0
# The fields of a line of training that are not means over its batches.
PACE = ('learning_rate', 'images_per_second', 'step_seconds', 'waiting')


class Journal:
  """Writes the records of one run. Only the first process has a Journal."""

  def __init__(self, workdir: str, config: dict[str, Any], step: int,
               total_steps: int, command: str = '', bar: tqdm | None = None,
               validations: int = 0):
    """Opens the files of `workdir` and continues after `step`.

    Args:
      workdir: the run's folder.
      config: the resolved config.
      step: the step from which the run continues.
      total_steps: the last step of the run.
      command: the command line of this run.
      bar: a progress bar shared by several runs; None creates a new one.
      validations: number of remaining validations, to estimate the time left.
    """
    files.write_json(os.path.join(workdir, CONFIG), config)
    if command:
      with files.atomic_write(os.path.join(workdir, COMMAND)) as file:
        # Arguments may be names of files, of any bytes.
        file.write(command.encode(errors='surrogateescape') + b'\n')
    self._path = os.path.join(workdir, METRICS)
    _drop_lines_after(self._path, step)
    self._lines = open(self._path, 'a', encoding='utf-8')  # noqa: SIM115
    self._events = Events(workdir, step + 1)
    if not step:
      self._events.config(config)
    self._batch_size = batch_size = config['optimizer']['batch_size']
    self._total = total_steps
    self._owns_bar = bar is None
    self._bar = bar if bar is not None else auto.tqdm(
        total=total_steps * batch_size, initial=step * batch_size,
        unit=' images', unit_scale=True, dynamic_ncols=True, desc='train',
        disable=None)
    self._step = step
    self._mark = (time.perf_counter(), step)  # of the last log line
    self._started = False
    self._validations = validations
    self._validation_seconds = 0.0

  def tick(self) -> None:
    """Counts one step; speeds exclude the first step, which compiles."""
    self._step += 1
    self._bar.update(self._batch_size)
    if not self._started:
      self._started = True
      self.restart_clock(self._step)

  def train(self, step: int, means: dict[str, float],
            pace: Mapping[str, float]) -> None:
    """Writes the means of the last steps, with images per second.

    Args:
      step: the last of these steps.
      means: mean loss and errors.
      pace: the learning rate, and the seconds of a step, if they are known.
    """
    now = time.perf_counter()
    since, before = self._mark
    if step > before:
      speed = (step - before) * self._batch_size / (now - since)
    else:  # only the first step, whose time is compilation
      speed = None
    self._mark = (now, step)
    self._write('train', step, {
        **means, **pace, **({'images_per_second': speed} if speed else {})})
    text = _in_words(means)
    self._bar.set_postfix_str(text)
    if self._bar.disable:  # not a terminal: print plain lines
      if speed:
        text += f', {speed:.1f} images/s, {self._left(step, speed)} left'
      print(f'step {step}/{self._total}: {text}', file=sys.stderr)

  def _left(self, step, speed):
    seconds = ((self._total - step) * self._batch_size / speed
               + self._validations * self._validation_seconds)
    return tqdm.format_interval(seconds)

  def validation(self, step: int, means: dict[str, float],
                 seconds: float = 0.0,
                 kernels: np.ndarray | None = None) -> None:
    """Writes a validation during the run.

    Args:
      step: the step of the validated state.
      means: mean loss and errors.
      seconds: duration of the validation, to estimate the time left.
      kernels: of conv1, [K, size, size, 3, kernels], or None.
    """
    self._validations = max(0, self._validations - 1)
    self._validation_seconds = seconds
    if kernels is not None:
      self._events.kernels(step, kernels)
    self._write('validation', step, means)
    self.say(f'step {step}: validation {_in_words(means)}')
    self.restart_clock(step)

  def final(self, step: int, means: dict[str, float]) -> None:
    """Writes the errors at the end of the run."""
    self._write(FINAL[0], step, means)

  def say(self, sentence: str) -> None:
    """Prints a sentence on standard error, above the progress bar."""
    self._bar.write(printable(sentence), file=sys.stderr)

  def close(self) -> None:
    """Writes everything to disk."""
    if self._owns_bar:
      self._bar.close()
    with files.errors_name(self._path), self._lines:
      self._events.close()

  def restart_clock(self, step: int) -> None:
    """Excludes the time since the last step from speeds and estimates."""
    self._mark = (time.perf_counter(), step)
    if self._owns_bar:
      self._bar.unpause()

  def _write(self, kind, step, values):
    if not os.path.exists(self._path):
      raise FileNotFoundError(
          errno.ENOENT, os.strerror(errno.ENOENT), self._path)
    # The events reach the disk first: every line has its events, also after a
    # kill, and TensorBoard drops those of lines that a resumed run repeats.
    self._events.scalars(kind, step, values)
    finite = {name: value if math.isfinite(value) else None
              for name, value in values.items()}
    with files.errors_name(self._path):
      self._lines.write(
          json.dumps({'step': step, 'kind': kind, **finite}) + '\n')
      self._lines.flush()


class SilentJournal:
  """The journal of every process but the first: it writes nothing."""

  def tick(self) -> None:
    """Ignores a step."""

  def train(self, step: int, means: dict[str, float],
            pace: Mapping[str, float]) -> None:
    """Ignores measurements.

    Args:
      step: not used.
      means: not used.
      pace: not used.
    """

  def validation(self, step: int, means: dict[str, float],
                 seconds: float = 0.0,
                 kernels: np.ndarray | None = None) -> None:
    """Ignores a validation.

    Args:
      step: not used.
      means: not used.
      seconds: not used.
      kernels: not used.
    """

  def final(self, step: int, means: dict[str, float]) -> None:
    """Ignores the errors at the end."""

  def restart_clock(self, step: int) -> None:
    """Ignores the time."""

  def say(self, sentence: str) -> None:
    """Ignores a sentence."""

  def close(self) -> None:
    """Does nothing."""


def _in_words(means: dict[str, float]) -> str:
  """Formats 'loss 2.5000, top-1 error 75.0 %'; errors are optional."""
  words = [f'loss {means["loss"]:.4f}']
  words += [f'{name} error {100 * means[key]:.1f} %' for key, name in (
      ('top1_error', 'top-1'), ('top5_error', 'top-5')) if key in means]
  return ', '.join(words)


# --- Reading ------------------------------------------------------------------


def read(workdir: str) -> list[dict[str, Any]]:
  """Reads a run's metrics.jsonl; null is NaN, and odd lines are skipped.

  A full disk, a power failure or an editor may have left half a line, zeros or
  anything else in the file.

  Returns:
    {'step': int, 'kind': str, name: float, ...} per line.
  """
  return [line for _, line in _lines(os.path.join(workdir, METRICS))]


def read_config(workdir: str) -> dict[str, Any] | None:
  """Reads a run's resolved config; None if it is missing or damaged."""
  config = files.read_json(os.path.join(workdir, CONFIG))
  return config if isinstance(config, dict) else None


def read_command(workdir: str) -> str:
  """Reads a run's command line; '' if it is missing or damaged."""
  try:
    with open(os.path.join(workdir, COMMAND), encoding='utf-8',
              errors='surrogateescape') as file:
      return file.read()
  except OSError:
    return ''


def final_line(workdir: str) -> dict[str, Any] | None:
  """Returns a run's line of final errors; None if it is unfinished."""
  lines = [line for line in read(workdir) if line['kind'] in FINAL]
  return lines[-1] if lines else None


def _lines(path: str) -> Iterator[tuple[bytes, dict[str, Any]]]:
  """Yields each good line of a file, as it is and parsed."""
  if not os.path.exists(path):
    return
  with open(path, 'rb') as file:
    for text in file:
      line = _parsed(text)
      if line:
        yield text.rstrip() + b'\n', line


def _parsed(text: bytes) -> dict[str, Any] | None:
  try:
    line = json.loads(text.decode())
  except (ValueError, RecursionError):
    return None
  if (not isinstance(line, dict) or type(line.get('step')) is not int
      or not isinstance(line.get('kind'), str)):
    return None
  numbers = {name: _number(value) for name, value in line.items()
             if type(value) in (int, float, NoneType)}
  return {**numbers, 'step': line['step'], 'kind': line['kind']}


def _number(value: float | None) -> float:
  try:
    return math.nan if value is None else float(value)
  except OverflowError:  # an integer that is larger than all floats
    return math.inf


def _drop_lines_after(path: str, step: int) -> None:
  """Deletes the lines that the resumed run writes again, and odd ones."""
  if not os.path.exists(path):
    return
  # The final errors come after the last step and are always measured again.
  remaining = [text for text, line in _lines(path)
               if line['step'] <= step and line['kind'] not in FINAL]
  with files.atomic_write(path) as file:
    file.write(b''.join(remaining))
