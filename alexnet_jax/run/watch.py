"""Says when a run goes wrong: a loss that is no number, or is stuck."""

import collections
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from alexnet_jax.errors import InputError

# A mean over many steps this near to ln(classes) means that the network still
# gives every image the same answer.
NEAR = 0.02

CURES = (
    'known cures, in order: the wider init of the 2012 program'
    ' (configs/authors_2012.py: 0.03 in conv3 to conv5); biases of 0.1 instead'
    ' of 1 (config.model.biases); another config.seed or a lower'
    ' config.optimizer.learning_rate; pixels of 0..255, not 0..1')


class Diverged(InputError):
  """A loss or a parameter is no finite number any more."""


class Watch:
  """Sees the loss of every step."""

  def __init__(self, num_classes: int, stall_steps: int,
               say: Callable[[str], None]):
    """Reports a loss stuck for `stall_steps`, once; 0 never reports."""
    self._chance = math.log(num_classes)
    self._recent = collections.deque(maxlen=stall_steps or None)
    self._stall_steps = stall_steps
    self._say = say
    self._said = False

  def see(self, step: int, loss: float, newest: int | None) -> None:
    """Takes the loss of `step`; `newest` is the newest checkpoint's step.

    Raises:
      Diverged: the loss is not finite.
    """
    if not math.isfinite(loss):
      raise _diverged(f'the loss is {loss}', step, newest)
    if not self._stall_steps or self._said:
      return
    self._recent.append(loss)
    if len(self._recent) < self._stall_steps:
      return
    mean = sum(self._recent) / self._stall_steps
    if abs(mean - self._chance) < NEAR:
      self._said = True
      self._say(
          f'The loss has stayed at {mean:.3f} for {self._stall_steps} steps up'
          f' to step {step}; ln(classes) is {self._chance:.3f}, so the network'
          f' still tells no image from another. The run goes on unchanged;'
          f' {CURES}.')


def must_be_finite(params: Any, step: int, newest: int | None) -> None:
  """Raises Diverged if a parameter of `step` is no finite number.

  The loss of a step is that of the parameters before it, so a step can break
  them and still have a fine loss.
  """
  if not jax.device_get(_all_finite(params)):
    raise _diverged('the parameters are not finite', step, newest)


@jax.jit
def _all_finite(params):
  leaves = jax.tree.leaves(params)
  return jnp.stack([jnp.isfinite(leaf).all() for leaf in leaves]).all()


def _diverged(what: str, step: int, newest: int | None) -> Diverged:
  saved = ('no checkpoint had been saved' if newest is None
           else f'the newest checkpoint is of step {newest}')
  return Diverged(
      f'{what} at step {step} and {saved}: lower config.optimizer.learning_rate'
      ' or look at the data, then run the same command in a new --workdir.')
