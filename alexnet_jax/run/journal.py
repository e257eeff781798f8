"""What a run tells: progress, measurements, TensorBoard events, what it is.

metrics.jsonl has one object a line: {"step", "kind", ...}; kind is 'train',
'validation' or 'test'. A resumed run drops what was written after the step that
it resumes from, so no step stands there twice. config.json has the resolved
config and command.txt the command line.
"""

import json
import os
import sys
import time
from typing import Any

from tensorboardX import SummaryWriter
from tqdm import tqdm

METRICS, CONFIG = 'metrics.jsonl', 'config.json'
COMMAND = 'command.txt'
# What a line of training says of its means; an auto-encoder has only a loss.
TOLD = {'loss': 'loss', 'top1_error': 'top-1 error'}


class Journal:
  """Writes down one run. Only the first process has one; see `Silent`."""

  def __init__(self, workdir: str, config: dict[str, Any], step: int,
               total_steps: int, command: str = '', bar: tqdm | None = None):
    """Opens the files of `workdir` and goes on after `step`.

    Args:
      workdir: the run's folder.
      config: the resolved config.
      step: where the run goes on.
      total_steps: where it ends.
      command: the command line that makes this run.
      bar: counts the images of several runs; without it this run has its own.
    """
    os.makedirs(workdir, exist_ok=True)
    with open(os.path.join(workdir, CONFIG), 'w', encoding='utf-8') as file:
      json.dump(config, file, indent=2)
      file.write('\n')
    if command:
      with open(os.path.join(workdir, COMMAND), 'w', encoding='utf-8') as file:
        file.write(command + '\n')
    path = os.path.join(workdir, METRICS)
    _forget_after(path, step)
    self._lines = open(path, 'a', encoding='utf-8')  # noqa: SIM115
    self._events = SummaryWriter(
        os.path.join(workdir, 'events'), purge_step=step + 1)
    self._batch_size = batch_size = config['optimizer']['batch_size']
    self._total = total_steps
    self._own_bar = bar is None
    self._bar = bar if bar is not None else tqdm(
        total=total_steps * batch_size, initial=step * batch_size,
        unit=' images', unit_scale=True, dynamic_ncols=True, desc='train',
        disable=None)
    self._last = (time.perf_counter(), step)

  def tick(self) -> None:
    """One step done."""
    self._bar.update(self._batch_size)

  def train(self, step: int, means: dict[str, float]) -> None:
    """The means of the last steps; adds images per second and time left."""
    now = time.perf_counter()
    then, before = self._last
    speed = (step - before) * self._batch_size / (now - then)
    self._last = (now, step)
    self._write('train', step, {**means, 'images_per_second': speed})
    told = {name: means[key] for key, name in TOLD.items() if key in means}
    self._bar.set_postfix_str(', '.join(
        f'{name} {value:.3f}' for name, value in told.items()))
    if self._bar.disable:  # not a terminal: plain lines
      left = (self._total - step) * self._batch_size / speed
      print(f'step {step}/{self._total}  ' + '  '.join(
          f'{name} {value:.4f}' for name, value in told.items())
            + f'  {speed:.1f} images/s'
            f'  left {tqdm.format_interval(left)}', file=sys.stderr)

  def errors(self, kind: str, step: int, means: dict[str, float]) -> None:
    """A validation or a test; the clock of `train` starts anew after it."""
    self._write(kind, step, means)
    self.say(f'step {step}  {kind}: ' + '  '.join(
        f'{name} {value:.4f}' for name, value in means.items()))
    self._last = (time.perf_counter(), step)

  def say(self, sentence: str) -> None:
    """A sentence to the person, above the progress bar."""
    self._bar.write(sentence, file=sys.stderr)

  def close(self) -> None:
    """Puts everything on disk."""
    if self._own_bar:
      self._bar.close()
    self._events.close()
    self._lines.close()

  def _write(self, kind, step, values):
    self._lines.write(
        json.dumps({'step': step, 'kind': kind, **values}) + '\n')
    self._lines.flush()
    for name, value in values.items():
      self._events.add_scalar(f'{kind}/{name}', value, step)
    self._events.flush()


class Silent:
  """The journal of every process but the first."""

  def tick(self) -> None:
    """Nothing."""

  def train(self, step: int, means: dict[str, float]) -> None:
    """Nothing."""

  def errors(self, kind: str, step: int, means: dict[str, float]) -> None:
    """Nothing."""

  def say(self, sentence: str) -> None:
    """Nothing."""

  def close(self) -> None:
    """Nothing."""


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


def finished(workdir: str) -> dict[str, Any] | None:
  """The line of a run's last test, or None if it has not come to its end."""
  tests = [line for line in read(workdir) if line['kind'] == 'test']
  return tests[-1] if tests else None


def _parsed(line):
  try:
    return json.loads(line)
  except ValueError:
    return None


def _forget_after(path: str, step: int) -> None:
  """Drops lines that will be written again."""
  if not os.path.exists(path):
    return
  with open(path, encoding='utf-8') as file:
    kept = [line for line in file if _stays(line, step)]
  with open(f'{path}.part', 'w', encoding='utf-8') as file:
    file.writelines(kept)
  os.replace(f'{path}.part', path)


def _stays(line, step):
  # The test comes after the last step and is always run again.
  written = _parsed(line)
  return written and written['step'] <= step and written['kind'] != 'test'
