"""Batch normalization (Ioffe and Szegedy, 2015).

In training, each map is normalized by the mean and the variance of the global
batch, whatever the mesh. The module knows that it is in training if its
collection 'batch_stats' can be changed; otherwise it uses running averages.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from alexnet_jax.network.placement import DATA

MOMENTUM = 0.9  # of the running averages; the papers do not give it
EPSILON = 1e-5  # added to the variance; Caffe's and PyTorch's


class BatchNorm(nn.Module):
  """Normalizes each map over a batch: [B, ..., C] -> [B, ..., C].

  Statistics are float32 in every precision. They must be computed inside a
  `shard_map` with the axis 'data', over which they are averaged. The running
  variance is the unbiased estimate of the paper's Algorithm 2. `nn.BatchNorm`
  has the biased one, and does not take bfloat16 under strict promotion.
  """

  momentum: float = MOMENTUM  # the share of the old average that is kept
  epsilon: float = EPSILON

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    maps = x.shape[-1]
    wide = x.astype(jnp.float32)
    scale, shift = (
        self.param(name, first, (maps,)).astype(jnp.float32)
        for name, first in (('scale', nn.initializers.ones),
                            ('bias', nn.initializers.zeros)))
    running_mean = self.variable(
        'batch_stats', 'mean', jnp.zeros, (maps,), jnp.float32)
    running_var = self.variable(
        'batch_stats', 'var', jnp.ones, (maps,), jnp.float32)
    mean, var = running_mean.value, running_var.value
    if (self.is_mutable_collection('batch_stats')
        and not self.is_initializing()):
      over = tuple(range(x.ndim - 1))
      mean, square = lax.pmean(
          jnp.stack([wide.mean(over), jnp.square(wide).mean(over)]), DATA)
      var = jnp.maximum(square - jnp.square(mean), 0)
      count = x.size // maps * lax.axis_size(DATA)
      unbiased = var * (count / max(count - 1, 1))
      for average, new in ((running_mean, mean), (running_var, unbiased)):
        average.value = (self.momentum * average.value
                         + (1 - self.momentum) * lax.stop_gradient(new))
    along = (1,) * (x.ndim - 1) + (maps,)
    factor = (scale * lax.rsqrt(var + self.epsilon)).reshape(along)
    return ((wide - mean.reshape(along)) * factor
            + shift.reshape(along)).astype(x.dtype)
