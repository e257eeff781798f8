"""The operations of LeNet-5 (1998) that later networks no longer have.

LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document
recognition", section II.B and appendix A. Maps are [B, H, W, C].
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax

from alexnet_jax.network.pooling import avg_pool

AMPLITUDE, SLOPE = 1.7159, 2 / 3  # of `scaled_tanh`: f(1) = 1 and f(-1) = -1


class GrayConv(nn.Conv):
  """A first convolution that reads the mean of the three colors, divided.

  Of a gray image, whose colors are equal, this is the image.
  """

  pixel_scale: float = 1.0

  def __call__(self, inputs: jax.Array) -> jax.Array:
    gray = inputs.mean(-1, keepdims=True)
    return super().__call__(gray / self.pixel_scale)


class TableConv(nn.Module):
  """A convolution whose maps each read some of the maps below, without padding.

  [B, H, W, C] -> [B, H - size + 1, W - size + 1, maps]. The kernel is
  [size, size, connections], in the order of the table: a map that is not read
  has no weights.
  """

  table: tuple[tuple[int, ...], ...]  # for each map, the maps that it reads
  size: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    square, maps = self.size**2, len(self.table)
    counts = np.array([len(reads) for reads in self.table for _ in reads])

    def draw(key, shape):
      return uniform(square * counts.astype(np.float32))(key, shape)

    kernel = self.param(
        'kernel', draw, (self.size, self.size, len(counts)))
    bias = self.param('bias', nn.initializers.zeros, (maps,))
    y = lax.conv_general_dilated(
        x, with_zeros(kernel, self.table, x.shape[-1]), (1, 1), 'VALID',
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'))
    return y + bias.reshape(1, 1, 1, -1)


class Subsampling(nn.Module):
  """The sum of 2 x 2 units times a coefficient, plus a bias, one of each a map.

  [B, H, W, C] -> [B, H / 2, W / 2, C]. The kernel, [C], has the coefficients.
  """

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    maps = x.shape[-1:]
    kernel = self.param('kernel', uniform(4), maps)
    bias = self.param('bias', nn.initializers.zeros, maps)
    sums = 4 * avg_pool(x, 2, 2)
    return kernel.reshape(1, 1, 1, -1) * sums + bias.reshape(1, 1, 1, -1)


def with_zeros(kernel: jax.Array, table: tuple[tuple[int, ...], ...],
               inputs: int) -> jax.Array:
  """Returns the kernel [size, size, inputs, maps] of a full convolution.

  Args:
    kernel: [size, size, connections].
    table: for each map, the maps that it reads.
    inputs: number of maps below.
  """
  reads, maps = connections(table)
  zeros = jnp.zeros((*kernel.shape[:2], inputs, len(table)), kernel.dtype)
  return zeros.at[:, :, reads, maps].set(kernel)


def connections(
    table: tuple[tuple[int, ...], ...]) -> tuple[np.ndarray, np.ndarray]:
  """Returns the map that each connection reads, and the map that it is for."""
  return (np.array([one for row in table for one in row]),
          np.repeat(np.arange(len(table)), [len(row) for row in table]))


def scaled_tanh(x: jax.Array) -> jax.Array:
  """The squashing function (appendix A): 1.7159 tanh(2x / 3)."""
  return AMPLITUDE * jnp.tanh(SLOPE * x)


def uniform(inputs):
  """Returns an initializer: uniform in +-2.4 / F (appendix A).

  Args:
    inputs: F, the number of inputs of a unit; a number, or one for each place
      of the last axis.
  """

  def draw(key, shape, dtype=jnp.float32):
    row = jax.random.uniform(key, (math.prod(shape),), dtype, -1.0, 1.0)
    unit = row.reshape(shape)  # one-dimensional, as in `initial.gaussian`
    reach = jnp.asarray(2.4 / np.asarray(inputs), dtype)
    return unit * reach.reshape((1,) * (len(shape) - reach.ndim) + reach.shape)

  return draw


def uniform_by_inputs(key: jax.Array, shape: tuple[int, ...],
                      dtype=jnp.float32) -> jax.Array:
  """Initializes [..., units], whose inputs are all other axes: `uniform`."""
  return uniform(math.prod(shape[:-1]))(key, shape, dtype)


def code_weights(key: jax.Array, shape: tuple[int, ...],
                 dtype=jnp.float32) -> jax.Array:
  """Initializes a softmax layer as radial basis functions around codes.

  The output of 1998 is -|x - w|^2 for a code w of +-1 per class, and its loss
  is the cross-entropy of these with one more constant (equation 9, without j).
  As |w| is the same for all classes, 2 x.w differs from it by a number that all
  classes share, so both have the same softmax. The paper draws its codes as 7 x
  12 pictures of the characters; they "could have been chosen at random with
  equal probabilities for -1 and +1", as they are here.

  Args:
    key: key of the codes.
    shape: [84, classes].
    dtype: type of the result.
  """
  return jnp.where(jax.random.bernoulli(key, 0.5, shape), 2, -2).astype(dtype)
