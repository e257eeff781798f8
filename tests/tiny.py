"""An experiment that is over in a second, and what it leaves behind."""

import json
import os
import signal

import cv2
import jax
import numpy as np

from alexnet_jax.run import checkpoint, experiment, journal, typed_config
from alexnet_jax.run.journal import Journal
from configs import quickstart

FIELDS = {
    'model.kernels': (4, 4, 6, 6, 4),
    'model.neurons': (16, 16),
    'model.stddevs': (0.1,) * 8,
    'data.train_examples': 64,
    'data.validation_examples': 24,  # of batches of 16: the last is half full
    'optimizer.batch_size': 16,
    'optimizer.plateau': True,
    'optimizer.plateau_patience': 1,  # the rate falls while the run is short
    'run.steps': 6,
    'run.evaluate_every': 2,
    'run.save_every': 3,
    'run.log_every': 1,
}


def config(fields=None):
  """The quickstart, narrowed; `fields` are further 'section.field': value."""
  narrowed = quickstart.get_config().lock()
  narrowed.update_from_flattened_dict(FIELDS | (fields or {}))
  return narrowed


def flags(fields=None):
  """The same as `config`, for a command line."""
  return ['--config=configs/quickstart.py'] + [
      f'--config.{name}={value}'
      for name, value in (FIELDS | (fields or {})).items()]


def metrics(workdir, *kinds):
  """The lines of metrics.jsonl, of some kinds or all, without the pace."""
  with open(os.path.join(workdir, 'metrics.jsonl'), encoding='utf-8') as file:
    lines = [json.loads(line) for line in file]
  for line in lines:
    for name in journal.PACE:
      line.pop(name, None)
  return [line for line in lines if not kinds or line['kind'] in kinds]


def losses(workdir):
  """The training losses, step by step."""
  return [line['loss'] for line in metrics(workdir, 'train')]


def steps(workdir):
  """The steps of the checkpoints that are there."""
  return sorted(int(name) for name in os.listdir(
      os.path.join(workdir, 'checkpoints')) if name.isdigit())


def state(config, workdir, step=None):
  """The State of a checkpoint, the newest unless told, on one device."""
  alone = config.copy_and_resolve_references()
  alone.mesh.data = alone.mesh.column = 1
  built = experiment.build(typed_config.read(alone), 12, 64)
  manager = checkpoint.open_manager(workdir, 100)
  restored = checkpoint.restore(
      manager, manager.latest_step() if step is None else step,
      built.state_shapes())
  manager.close()
  return jax.device_get(restored)


def assert_same(ours, theirs):
  """Every leaf of two states is the same to the last bit."""
  paths = jax.tree_util.tree_leaves_with_path(ours)
  for (path, a), b in zip(paths, jax.tree.leaves(theirs), strict=True):
    assert a.dtype == b.dtype and a.tobytes() == b.tobytes(), path


def assert_close(ours, theirs, tolerance=1e-3):
  """Two states differ by rounding alone."""
  paths = jax.tree_util.tree_leaves_with_path(ours)
  for (path, a), b in zip(paths, jax.tree.leaves(theirs), strict=True):
    np.testing.assert_allclose(
        a, b, rtol=0, atol=tolerance * max(np.abs(b).max(), 1e-6),
        err_msg=str(path))


def ask_to_stop_at(step, monkeypatch):
  """Sends SIGTERM to this process while its run makes that step."""
  tick, seen = Journal.tick, []

  def counted(self):
    tick(self)
    seen.append(self)
    if len(seen) == step:
      os.kill(os.getpid(), signal.SIGTERM)

  monkeypatch.setattr(Journal, 'tick', counted)


def write_photos(folder, classes=('cat', 'dog'), train=10, val=4):
  """Writes a folder of small photographs: train/ and val/, a folder a class."""
  draw = np.random.default_rng(0)
  for split, count in (('train', train), ('val', val)):
    for name in classes:
      (folder / split / name).mkdir(parents=True)
      for i in range(count):
        small = draw.integers(0, 256, (6, 8, 3), np.uint8)
        # OpenCV itself cannot write to names of any bytes.
        _, png = cv2.imencode('.png', cv2.resize(small, (96, 80)))
        (folder / split / name / f'{i}.png').write_bytes(png.tobytes())
  return str(folder)
