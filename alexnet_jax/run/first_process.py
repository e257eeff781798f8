"""What only the first of several processes does, and all of them know."""

from collections.abc import Callable

import jax
import numpy as np
from jax.experimental import multihost_utils

from alexnet_jax import files
from alexnet_jax.errors import InputError

LENGTH = 4096  # bytes of a sentence that is sent to all processes


def run(action: Callable[[], object]) -> None:
  """Runs an action in the first process; the others wait for its end.

  Raises:
    InputError: the action raised it, or could not write a file. It is raised
      in all processes, so that none waits for the others.
  """
  if jax.process_count() == 1:
    action()
    return
  sentence = np.zeros(LENGTH, np.uint8)
  if jax.process_index() == 0:
    text = _refusal(action).encode()[:LENGTH]
    sentence[:len(text)] = np.frombuffer(text, np.uint8)
  received = np.asarray(multihost_utils.broadcast_one_to_all(sentence))
  if received.any():
    raise InputError(received.tobytes().rstrip(b'\0').decode(errors='replace'))


def _refusal(action):
  """Runs the action and returns the sentence of its error, or ''."""
  try:
    action()
  except InputError as error:
    return str(error)
  except OSError as error:
    sentence = files.sentence_of(error)
    if not sentence:
      raise
    return sentence
  return ''
