"""ReLU, response norm and max-pooling as one kernel, for NVIDIA GPUs.

Between conv1 and conv2 XLA writes and reads several arrays of the size of the
maps, in both directions. The kernels here, in Pallas for Triton, read the maps
once and write the pooled ones; on the way back they read the maps again,
compute the norm anew and write the gradient. Of each window they store which
units equal its maximum, in two bytes, so ties are those of `pooling.max_pool`.
A NaN in one map becomes one in all maps of its position.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton


class RectifyNormPool(NamedTuple):
  """ReLU, `local_response_norm` and `max_pool`, in this order."""

  k: float
  n: int
  alpha: float
  beta: float
  size: int
  stride: int = 2
  interpret: bool = False  # runs on a processor, for tests

  def of_columns(self, x: jax.Array, count: int) -> Sequence[jax.Array]:
    """Returns the pooled maps of each column.

    Args:
      x: maps of all columns before the ReLU, [B, H, W, count * C].
      count: number of columns.
    """
    return _pooled(x, self, count)

  def pooled_sides(self, x: jax.Array) -> tuple[int, int]:
    """Returns the number of windows along both axes."""
    rows, cols = (1 + max(0, -(-(side - self.size) // self.stride))
                  for side in x.shape[1:3])
    return rows, cols


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _pooled(x, op: RectifyNormPool, count):
  return _forward_kernel(x, op, count, with_maxima=False)


def _pooled_forward(x, op, count):
  *ys, maxima = _forward_kernel(x, op, count, with_maxima=True)
  return tuple(ys), (x, maxima)


def _pooled_backward(op, count, residuals, gs):
  del count
  x, maxima = residuals
  return (_backward_kernel(x, maxima, gs, op),)


_pooled.defvjp(_pooled_forward, _pooled_backward)


LARGEST_WINDOW = 4  # its 16 units have a bit each


# --- Both kernels -------------------------------------------------------------

# Tensor cores multiply no fewer rows or columns. With so few positions a thread
# has eight units, and the nine of a window fit into its registers.
POSITIONS = FEWEST_MAPS = 16


class _Tile(NamedTuple):
  """What one program works on: some positions, and all maps of a column."""

  image: jax.Array
  column: jax.Array
  row: jax.Array  # [P, 1] positions
  col: jax.Array
  exists: jax.Array  # [P, C] those beyond the last position or map do not
  channel: jax.Array  # [1, C] among the maps of all columns
  own: jax.Array  # [1, C] among those of this column


def _tile(sides, maps) -> _Tile:
  among = jnp.arange(POSITIONS, dtype=jnp.int32)[:, None]
  place = pl.program_id(0) * POSITIONS + among
  own = jnp.arange(_width(maps), dtype=jnp.int32)[None]
  column = pl.program_id(1)
  return _Tile(
      pl.program_id(2), column, place // sides[1], place % sides[1],
      (place < sides[0] * sides[1]) & (own < maps), column * maps + own, own)


def _width(maps):
  return max(FEWEST_MAPS, pl.next_power_of_2(maps))


def _call(kernel, sides, maps, count, shapes, op, *arrays) -> Any:
  warps = min(8, _width(maps) // 16)
  grid = (pl.cdiv(sides[0] * sides[1], POSITIONS), count, len(arrays[0]))
  varying = jax.typeof(arrays[0]).manual_axis_type
  return pl.pallas_call(
      functools.partial(kernel, op=op, maps=maps),
      grid=grid,
      out_shape=[
          jax.ShapeDtypeStruct(shape, dtype, manual_axis_type=varying)
          for shape, dtype in shapes],
      compiler_params=triton.CompilerParams(num_warps=warps, num_stages=1),
      interpret=op.interpret)(*arrays)


def _read(ref, tile, row, col, exists):
  return triton.load(
      ref.at[tile.image, row, col, tile.channel], mask=exists, other=0)


def _rectified(ref, tile, row, col, exists, op):
  """Returns (maps after the ReLU, fourth root of one over the divisor)."""
  x = _read(ref, tile, row, col, exists)
  wide = jnp.maximum(x if x.dtype == jnp.float64 else x.astype(jnp.float32), 0)
  below = op.n // 2
  sums = _sum_over_maps(wide * wide, below, op.n - 1 - below)
  return wide, lax.rsqrt(lax.sqrt(op.k + op.alpha * sums))


def _sum_over_maps(x, below, above):
  """Sums over adjacent maps, [P, C], as products with zeros and ones."""
  source = lax.broadcasted_iota(jnp.int32, (x.shape[1],) * 2, 0)
  target = lax.broadcasted_iota(jnp.int32, (x.shape[1],) * 2, 1)
  window = (source >= target - below) & (source <= target + above)
  if x.dtype == jnp.float64:
    return jnp.dot(x, window.astype(x.dtype))
  # Three parts of eight digits each are all digits of a float32. The products
  # are exact, and the tensor cores add them in float32.
  window, total = window.astype(jnp.bfloat16), 0.0
  for _ in range(3):
    digits = lax.bitcast_convert_type(x, jnp.int32) & jnp.int32(-65536)
    part = lax.bitcast_convert_type(digits, jnp.float32)
    total += jnp.dot(part.astype(jnp.bfloat16), window,
                     preferred_element_type=jnp.float32)
    x = x - part
  return total


def _power(root, exponent):
  rounded = round(exponent)  # 3 in the paper
  return (lax.integer_pow(root, rounded) if rounded == exponent
          else root ** exponent)


# --- Forward ------------------------------------------------------------------


def _forward_kernel(x, op, count, with_maxima):
  maps, sides = x.shape[-1] // count, op.pooled_sides(x)
  shapes = [((len(x), *sides, maps), x.dtype)] * count
  if with_maxima:
    shapes.append(((len(x), *sides, maps * count), jnp.int16))
  return tuple(_call(_pool_windows, sides, maps, count, shapes, op, x))


def _pool_windows(x_ref, *out_refs, op, maps):
  _, height, width, channels = x_ref.shape
  count = channels // maps
  tile = _tile(out_refs[0].shape[1:3], maps)
  units = []
  for tap in range(op.size**2):
    row = tile.row * op.stride + tap // op.size
    col = tile.col * op.stride + tap % op.size
    inside = tile.exists & (row < height) & (col < width)
    wide, root = _rectified(x_ref, tile, row, col, inside, op)
    y = (wide * _power(root, 4 * op.beta)).astype(x_ref.dtype)
    # A processor compares bfloat16, and Triton float32.
    units.append(jnp.where(inside, y.astype(wide.dtype), -jnp.inf))
  largest = functools.reduce(jnp.maximum, units)
  for k, y_ref in enumerate(out_refs[:count]):
    triton.store(
        y_ref.at[tile.image, tile.row, tile.col, tile.own],
        largest.astype(y_ref.dtype), mask=tile.exists & (tile.column == k))
  if len(out_refs) > count:
    maxima = functools.reduce(jnp.bitwise_or, (
        jnp.where(y == largest, 1 << tap, 0) for tap, y in enumerate(units)))
    triton.store(
        out_refs[-1].at[tile.image, tile.row, tile.col, tile.channel],
        maxima.astype(jnp.int16), mask=tile.exists)


# --- Backward -----------------------------------------------------------------


def _backward_kernel(x, maxima, gs, op):
  [dx] = _call(_gather_gradients, x.shape[1:3], x.shape[-1] // len(gs),
               len(gs), [(x.shape, x.dtype)], op, x, maxima, *gs)
  return dx


def _gather_gradients(x_ref, maxima_ref, *refs, op, maps):
  *g_refs, dx_ref = refs
  tile = _tile(x_ref.shape[1:3], maps)
  wide, root = _rectified(x_ref, tile, tile.row, tile.col, tile.exists, op)
  g = jnp.zeros_like(wide)
  back = range(-(-op.size // op.stride))  # windows that contain one row
  for row_back in back:
    for col_back in back:
      g += _share(maxima_ref, g_refs, tile, row_back, col_back, op, wide.dtype)
  scaled = g * _power(root, 4 * op.beta)
  below = op.n // 2  # a mirrored window, as in `local_response_norm`
  disturbed = _sum_over_maps(
      scaled * wide * _power(root, 4), op.n - 1 - below, below)
  dx = scaled - (2 * op.alpha * op.beta) * wide * disturbed
  triton.store(
      dx_ref.at[tile.image, tile.row, tile.col, tile.channel],
      jnp.where(wide > 0, dx, 0).astype(dx_ref.dtype), mask=tile.exists)


def _share(maxima_ref, g_refs, tile, row_back, col_back, op, dtype):
  """Returns the gradient that each unit gets from one of its windows."""
  _, rows, cols, _ = maxima_ref.shape
  row, col = tile.row // op.stride - row_back, tile.col // op.stride - col_back
  down, across = tile.row - row * op.stride, tile.col - col * op.stride
  contains = (tile.exists & (row >= 0) & (row < rows) & (col >= 0)
              & (col < cols) & (down < op.size) & (across < op.size))
  maxima = _read(maxima_ref, tile, row, col, contains).astype(jnp.int32)
  hit = ((maxima >> (down * op.size + across)) & 1) == 1
  total = jnp.zeros_like(hit, dtype)
  for k, g_ref in enumerate(g_refs):
    total += triton.load(
        g_ref.at[tile.image, row, col, tile.own],
        mask=contains & hit & (tile.column == k), other=0).astype(dtype)
  return total
