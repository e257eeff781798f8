"""In which precision a network computes. Its parameters are float32 in all.

The paper's GPUs knew float32 only. Of what came after, 'tf32' rounds what goes
into a matrix product or convolution to ten bits behind the point, on devices
that can; 'bfloat16' computes and keeps all maps in sixteen bits, seven of them
behind the point. The norms (3.3) and the softmax stay in float32: what they add
up differs by less than bfloat16 can tell.
"""

from typing import Any

import jax
import jax.numpy as jnp

from alexnet_jax.errors import InputError
from alexnet_jax.network.models import Model

# As `jax.default_matmul_precision` calls them; without it JAX would round
# float32 on a GPU.
PRODUCTS = {'float32': 'float32', 'tf32': 'tensorfloat32', 'bfloat16': None}


def compute_in(precision: str, model: Model) -> Model:
  """The same network, computing in 'float32', 'tf32' or 'bfloat16'.

  Gradients reach the parameters in float32, which are the master weights.

  Raises:
    InputError: another precision.
  """
  if precision not in PRODUCTS:
    raise InputError(f'config.precision={precision!r} is not known: give one of'
                     f' {", ".join(PRODUCTS)}.')
  if precision != 'bfloat16':

    def apply(params, patches, keys=None):
      with jax.default_matmul_precision(PRODUCTS[precision]):
        return model.apply(params, patches, keys)

    return model._replace(apply=apply)

  def apply_rounded(params, patches, keys=None):
    found = model.apply(*_cast((params, patches), jnp.bfloat16), keys)
    return _cast(found, jnp.float32)

  return model._replace(apply=apply_rounded)


def _cast(tree: Any, dtype) -> Any:
  return jax.tree.map(lambda leaf: leaf.astype(dtype), tree)
