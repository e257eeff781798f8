"""What a run reports: progress, measurements, TensorBoard events, its config.

metrics.jsonl has one object a line: {"step", "kind", ...}; kind is 'train',
'validation' or, for the last line of a finished run, 'final'. A resumed run
drops the lines after the step that it resumes from, so no step stands there
twice. config.json has the resolved config and command.txt the command line.
"""

import json
import os
import sys
import time
from typing import Any

from tensorboardX import SummaryWriter
from tqdm import tqdm

from alexnet_jax import files

METRICS, CONFIG = 'metrics.jsonl', 'config.json'
COMMAND = 'command.txt'
FINAL = ('final', 'test')  # 'test' in runs before version 1.0


class Journal:
  """Writes the records of one run. Only the first process has one."""

  def __init__(self, workdir: str, config: dict[str, Any], step: int,
               total_steps: int, command: str = '', bar: tqdm | None = None,
               validations: int = 0):
    """Opens the files of `workdir` and goes on after `step`.

    Args:
      workdir: the run's folder.
      config: the resolved config.
      step: where the run goes on.
      total_steps: where it ends.
      command: the command line that makes this run.
      bar: counts the images of several runs; without it this run has its own.
      validations: that are still to come, for the time left.
    """
    os.makedirs(workdir, exist_ok=True)
    files.write_json(os.path.join(workdir, CONFIG), config)
    if command:
      with open(os.path.join(workdir, COMMAND), 'w', encoding='utf-8') as file:
        file.write(command + '\n')
    path = os.path.join(workdir, METRICS)
    _drop_lines_after(path, step)
    self._lines = open(path, 'a', encoding='utf-8')  # noqa: SIM115
    self._events = SummaryWriter(
        os.path.join(workdir, 'events'), purge_step=step + 1)
    self._batch_size = batch_size = config['optimizer']['batch_size']
    self._total = total_steps
    self._owns_bar = bar is None
    self._bar = bar if bar is not None else tqdm(
        total=total_steps * batch_size, initial=step * batch_size,
        unit=' images', unit_scale=True, dynamic_ncols=True, desc='train',
        disable=None)
    self._step = step
    self._mark = (time.perf_counter(), step)  # since the last measured speed
    self._started = False
    self._validations = validations
    self._validation_seconds = 0.0

  def tick(self) -> None:
    """Counts one step; the first, which compiles, is not in any speed."""
    self._step += 1
    self._bar.update(self._batch_size)
    if not self._started:
      self._started = True
      self._restart_clock(self._step)

  def train(self, step: int, means: dict[str, float]) -> None:
    """Writes the means of the last steps, with images per second.

    Args:
      step: the last of them.
      means: 'loss' and errors.
    """
    now = time.perf_counter()
    since, before = self._mark
    if step > before:
      speed = (step - before) * self._batch_size / (now - since)
    else:  # the first step alone: nothing but compilation to measure
      speed = None
    self._mark = (now, step)
    self._write('train', step, means | (
        {'images_per_second': speed} if speed else {}))
    text = _in_words(means)
    self._bar.set_postfix_str(text)
    if self._bar.disable:  # not a terminal: plain lines
      pace = (f', {speed:.1f} images/s, {self._left(step, speed)} left'
              if speed else '')
      print(f'step {step}/{self._total}: {text}{pace}', file=sys.stderr)

  def _left(self, step, speed):
    seconds = ((self._total - step) * self._batch_size / speed
               + self._validations * self._validation_seconds)
    return tqdm.format_interval(seconds)

  def validation(self, step: int, means: dict[str, float],
                 seconds: float = 0.0) -> None:
    """Writes a validation during the run.

    Args:
      step: the step validated.
      means: loss and errors.
      seconds: that it took, to tell how much time is left.
    """
    self._validations = max(0, self._validations - 1)
    self._validation_seconds = seconds
    self._write('validation', step, means)
    self.say(f'step {step}: validation {_in_words(means)}')
    self._restart_clock(step)

  def final(self, step: int, means: dict[str, float]) -> None:
    """Writes the errors at the end of the run."""
    self._write(FINAL[0], step, means)

  def say(self, sentence: str) -> None:
    """Prints a sentence on standard error, above the progress bar."""
    self._bar.write(sentence, file=sys.stderr)

  def close(self) -> None:
    """Writes everything to disk."""
    if self._owns_bar:
      self._bar.close()
    self._events.close()
    self._lines.close()

  def _restart_clock(self, step):
    """Leaves the time since the last step out of speeds and estimates."""
    self._mark = (time.perf_counter(), step)
    if self._owns_bar:
      self._bar.unpause()

  def _write(self, kind, step, values):
    self._lines.write(
        json.dumps({'step': step, 'kind': kind, **values}) + '\n')
    self._lines.flush()
    for name, value in values.items():
      self._events.add_scalar(f'{kind}/{name}', value, step)
    self._events.flush()


class SilentJournal:
  """The journal of every process but the first: it writes nothing."""

  def tick(self) -> None:
    """Ignores a step."""

  def train(self, step: int, means: dict[str, float]) -> None:
    """Ignores measurements."""

  def validation(self, step: int, means: dict[str, float],
                 seconds: float = 0.0) -> None:
    """Ignores a validation."""

  def final(self, step: int, means: dict[str, float]) -> None:
    """Ignores the errors at the end."""

  def say(self, sentence: str) -> None:
    """Ignores a sentence."""

  def close(self) -> None:
    """Has nothing to close."""


def _in_words(means: dict[str, float]) -> str:
  """'loss 2.5000, top-1 error 75.0 %'; an auto-encoder has only a loss."""
  words = [f'loss {means["loss"]:.4f}']
  words += [f'{name} error {100 * means[key]:.1f} %' for key, name in (
      ('top1_error', 'top-1'), ('top5_error', 'top-5')) if key in means]
  return ', '.join(words)


# --- Reading ------------------------------------------------------------------


def read(workdir: str) -> list[dict[str, Any]]:
  """The lines of a run's metrics.jsonl, without one cut short by a kill."""
  path = os.path.join(workdir, METRICS)
  if not os.path.exists(path):
    return []
  with open(path, encoding='utf-8') as file:
    return [line for line in map(_parsed, file) if line]


def read_config(workdir: str) -> dict[str, Any] | None:
  """A run's resolved config, as JSON knows it; None where nothing ran."""
  path = os.path.join(workdir, CONFIG)
  if not os.path.exists(path):
    return None
  with open(path, encoding='utf-8') as file:
    return json.load(file)


def final_line(workdir: str) -> dict[str, Any] | None:
  """The line of a run's final errors; None if it has not reached its end."""
  lines = [line for line in read(workdir) if line['kind'] in FINAL]
  return lines[-1] if lines else None


def _parsed(line):
  try:
    return json.loads(line)
  except ValueError:
    return None


def _drop_lines_after(path: str, step: int) -> None:
  """Drops lines that will be written again."""
  if not os.path.exists(path):
    return
  with open(path, encoding='utf-8') as file:
    kept = [line for line in file if _stays(line, step)]
  with files.atomic_write(path) as file:
    file.write(''.join(kept).encode())


def _stays(line, step):
  # The final errors come after the last step and are always measured again.
  parsed = _parsed(line)
  return parsed and parsed['step'] <= step and parsed['kind'] not in FINAL
