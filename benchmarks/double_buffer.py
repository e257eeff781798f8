"""When a run hands batches to the device, and when the device computes.

    python -m benchmarks.double_buffer --config=configs/quickstart.py --steps=12

Trains under the profiler of JAX, on a CPU, and prints the events of each step
in milliseconds: a batch is handed over in time if that ends before the device
has finished the step before. Set --config.run.log_every above --steps to see
the steps between two lines of the log.
"""

import glob
import itertools
import os
import tempfile
from collections.abc import Sequence
from typing import NamedTuple

from alexnet_jax import machine

machine.set_flags()  # Before JAX starts.

import jax  # noqa: E402
from absl import app, flags, logging  # noqa: E402
from ml_collections import ConfigDict, config_flags  # noqa: E402

from alexnet_jax import tables  # noqa: E402
from alexnet_jax.run import device_data, training, typed_config  # noqa: E402

STEPS = 12
STEP_MODULE = 'jit_train_step'  # JAX names it after the function.


class Span(NamedTuple):
  """When something began and ended, in seconds."""

  begin: float
  end: float


class Step(NamedTuple):
  """The events of one training step."""

  handed_over: Span  # the batch, by the host
  computed: Span  # by the device


def record(config: ConfigDict, steps: int) -> list[Step]:
  """Trains some steps under the profiler and returns their events, in order.

  Args:
    config: the experiment.
    steps: the number of steps; the run ends with a validation.
  """
  config = config.copy_and_resolve_references()
  config.run.steps = config.run.evaluate_every = config.run.save_every = steps
  config.run.hold_data, config.run.views = False, 1
  options = jax.profiler.ProfileOptions()
  options.python_tracer_level = 0  # Each call in Python is a million events.
  with tempfile.TemporaryDirectory() as folder:
    with jax.profiler.trace(folder, profiler_options=options):
      training.train(typed_config.read(config), os.path.join(folder, 'run'))
    [profile] = glob.glob(
        os.path.join(folder, 'plugins', 'profile', '*', '*.xplane.pb'))
    return timeline(jax.profiler.ProfileData.from_file(profile), steps)


def timeline(profile: jax.profiler.ProfileData, steps: int) -> list[Step]:
  """Reads the events of the first steps out of a profile, in order."""
  handed_over, computed = [], {}
  for plane in profile.planes:
    for line in plane.lines:
      for event in line.events:
        span = Span(event.start_ns / 1e9, event.end_ns / 1e9)
        stats = dict(event.stats)
        if event.name == device_data.HAND_OVER:
          handed_over.append(span)
        elif stats.get('hlo_module') == STEP_MODULE:
          # An operation: a step lasts from its first to its last.
          whole = computed.get(stats['run_id'], span)
          computed[stats['run_id']] = Span(
              min(whole.begin, span.begin), max(whole.end, span.end))
  # The batches of the validation come after those of all steps.
  return [Step(*spans) for spans in zip(
      sorted(handed_over)[:steps], sorted(computed.values()), strict=True)]


def in_time(steps: Sequence[Step]) -> list[bool]:
  """Returns for each step but the first whether its batch came in time."""
  return [step.handed_over.end <= before.computed.end
          for before, step in itertools.pairwise(steps)]


def as_text(steps: Sequence[Step]) -> str:
  """Formats the events, in milliseconds from the first step on."""
  zero = steps[0].computed.begin
  cell = lambda span: ' to '.join(
      f'{1000 * (moment - zero):.1f}' for moment in span)
  early = in_time(steps)
  rows = [('step', 'batch handed over, ms', 'computed, ms', 'in time'),
          ('1', '', cell(steps[0].computed), '')]  # no step before it
  rows += [(str(number), cell(step.handed_over), cell(step.computed),
            'yes' if told else 'no')
           for number, (step, told) in enumerate(
               zip(steps[1:], early, strict=True), 2)]
  return '\n'.join((
      *tables.aligned(rows),
      f'{sum(early)} of {len(early)} batches were handed over while the device'
      ' computed the step before.'))


def main(argv: list[str]) -> None:
  """Prints the events."""
  del argv
  logging.set_verbosity(logging.WARNING)
  print(as_text(record(_CONFIG.value, _STEPS.value)))


if __name__ == '__main__':
  _CONFIG = config_flags.DEFINE_config_file(
      'config', 'configs/quickstart.py', 'The experiment.', lock_config=True)
  _STEPS = flags.DEFINE_integer(
      'steps', STEPS, 'Number of steps.', lower_bound=2, upper_bound=10**6)
  app.run(main)
