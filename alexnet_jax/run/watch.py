"""Detects a loss that is not finite or that stays at chance level."""

import collections
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from alexnet_jax.errors import InputError

# If the mean loss over many steps is this close to ln(classes), the network
# gives every image the same answer.
TOLERANCE = 0.02

CURES = (
    'known cures, in order: the wider initial weights of the 2012 program'
    ' (configs/authors_2012.py: 0.03 in conv3 to conv5); biases of 0.1 instead'
    ' of 1 (config.model.biases); another config.seed or a lower'
    ' config.optimizer.learning_rate; pixels of 0..255, not 0..1')


class Diverged(InputError):
  """A loss or a parameter is not finite."""


class LossMonitor:
  """Monitors the loss of every step."""

  def __init__(self, num_classes: int, stall_steps: int,
               report: Callable[[str], None]):
    """Creates the monitor of a run.

    Args:
      num_classes: number of classes; its logarithm is the loss at chance level.
      stall_steps: number of steps at chance level after which a warning is
        reported, once; 0 disables the warning.
      report: function that receives the warning.
    """
    self._chance = math.log(num_classes)
    self._recent = collections.deque(maxlen=stall_steps or None)
    self._stall_steps = stall_steps
    self._report = report
    self._reported = False

  def observe(self, step: int, loss: float, newest: int | None) -> None:
    """Records the loss of a step.

    Args:
      step: number of the step.
      loss: loss of its batch.
      newest: the step of the newest checkpoint, if any.

    Raises:
      Diverged: the loss is not finite.
    """
    if not math.isfinite(loss):
      raise _diverged(f'the loss is {loss}', step, newest)
    if not self._stall_steps or self._reported:
      return
    self._recent.append(loss)
    if len(self._recent) < self._stall_steps:
      return
    mean = sum(self._recent) / self._stall_steps
    if abs(mean - self._chance) < TOLERANCE:
      self._reported = True
      self._report(
          f'The loss has been {mean:.3f} on average over the last'
          f' {self._stall_steps} steps, up to step {step}, and ln(classes) is'
          f' {self._chance:.3f}: the network gives every image the same answer.'
          f' The run goes on unchanged; {CURES}.')


def check_finite(params: Any, step: int, newest: int | None) -> None:
  """Checks that the parameters are finite after a step.

  The loss of a step is computed before its update, so a step can have a finite
  loss and still produce parameters that are not finite.

  Args:
    params: the parameters.
    step: the step that produced them.
    newest: the step of the newest checkpoint, if any.

  Raises:
    Diverged: a parameter is not finite.
  """
  if not jax.device_get(_all_finite(params)):
    raise _diverged('the parameters are not finite', step, newest)


@jax.jit
def _all_finite(params):
  leaves = jax.tree.leaves(params)
  return jnp.stack([jnp.isfinite(leaf).all() for leaf in leaves]).all()


def _diverged(what: str, step: int, newest: int | None) -> Diverged:
  saved = ('no checkpoint has been saved' if newest is None
           else f'the newest checkpoint is of step {newest}')
  return Diverged(
      f'{what} at step {step}, and {saved}: lower'
      ' config.optimizer.learning_rate or check the data, then run the same'
      ' command in a new --workdir.')
