"""What a unit of a deeper layer answers to: Zeiler and Fergus' projection.

The paper shows the kernels of conv1 (Figure 3) and stops there. "Visualizing
and Understanding Convolutional Networks" (ECCV 2014, section 2.1) goes on: keep
one unit of a layer, silence all others, and walk down to the pixels. Pooling is
undone by its switches, the places of this image's maxima; ReLU rectifies the
signal; weights are applied transposed. That walk is the network's own gradient
with other rules for what follows the weights, so here it is computed as one.

A unit's activation is what its kernel puts out, bias included, before the norm,
pooling and nonlinearity of its layer. ReLU would leave it as it is if it is
above zero, and others are never shown. Maps are numbered over all columns,
column 1's first.
"""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax

from alexnet_jax.errors import InputError
from alexnet_jax.network import columns
from alexnet_jax.network import layers as L
from alexnet_jax.network.columns import Layer


class Field(NamedTuple):
  """The squares of the patch that the units of a layer read, in pixels."""

  first: int  # where the first unit's begins; below 0 it hangs over the edge
  step: int  # from a unit's to the next one's
  size: int  # its side


class Strongest(NamedTuple):
  """The strongest units of M maps, T of each, every one of another image."""

  activations: np.ndarray  # [T, M] falling; -inf where no image is left
  images: np.ndarray  # [T, M]
  places: np.ndarray  # [T, M, 2] (y, x)


# --- Up: what the units put out -----------------------------------------------


def activations(layers: Sequence[Layer], params: Any, patches: jax.Array,
                names: Sequence[str]) -> dict[str, jax.Array]:
  """All maps of some layers: [B, P, P, 3] -> {layer: [B, H, W, K*C]}.

  Args:
    layers: one column; the columns run in turn on one device.
    params: of the columns, every leaf with a leading axis K.
    patches: around zero.
    names: of the layers; what lies above the last of them is not computed.
  """
  found = {}
  num_columns = len(jax.tree.leaves(params)[0])
  xs = [patches] * num_columns
  for layer in layers:
    if len(found) == len(names):
      break
    if layer.crosses:
      xs = [jnp.concatenate(xs, axis=-1)] * num_columns
    xs = columns.apply_weights(layer, params[layer.name], xs)
    if layer.name in names:
      found[layer.name] = jnp.concatenate(xs, axis=-1)
    for f in layer.post_ops:
      xs = [f(x) for x in xs]
  return found


def strongest_units(maps: jax.Array) -> tuple[jax.Array, jax.Array]:
  """The strongest unit of each map: [B, H, W, M] -> [B, M], [B, M, (y, x)]."""
  batch, _, width, count = maps.shape
  flat = maps.reshape(batch, -1, count)
  at = flat.argmax(1)
  return flat.max(1), jnp.stack([at // width, at % width], axis=-1)


def nothing_yet(top: int, count: int) -> Strongest:
  """Where `merge` begins: `top` vacancies for each of `count` maps."""
  return Strongest(np.full((top, count), -np.inf, np.float32),
                   np.full((top, count), -1), np.zeros((top, count, 2), int))


def merge(held: Strongest, activations: np.ndarray, images: np.ndarray,
          places: np.ndarray) -> Strongest:
  """The strongest of those held and of one unit of each new image.

  Of equals the one that came first stays.

  Args:
    held: so far.
    activations: [B, M].
    images: [B] their numbers.
    places: [B, M, 2].
  """
  top, count = held.activations.shape
  numbers = np.broadcast_to(images[:, None], (len(images), count))
  everything = [np.concatenate(pair) for pair in zip(
      held, (activations, numbers, places), strict=True)]
  order = np.argsort(-everything[0], axis=0, kind='stable')[:top]
  each = np.arange(count)[None]
  return Strongest(*(one[order, each] for one in everything))


def choose(held: Strongest, count: int, num_columns: int) -> np.ndarray:
  """The maps with the strongest units on average, evenly from all columns.

  Columns that cannot all give the same number give one more from the first on.
  """
  mean = np.maximum(held.activations, 0).mean(0).reshape(num_columns, -1)
  chosen = []
  for column, strengths in enumerate(mean):
    share = count // num_columns + (column < count % num_columns)
    best = np.argsort(-strengths, kind='stable')[:share]
    chosen.append(np.sort(best) + column * mean.shape[1])
  return np.concatenate(chosen)


# --- Down: the projection -----------------------------------------------------


def project(layers: Sequence[Layer], params: Any, patches: jax.Array,
            name: str, maps: jax.Array, places: jax.Array) -> jax.Array:
  """What excited one unit of every patch: [B, P, P, 3] -> the same, signed.

  The walk down starts with the activation of that unit alone.

  Args:
    layers: one column.
    params: of the columns, every leaf with a leading axis K.
    patches: around zero.
    name: of the layer.
    maps: [B] which map of it, over all columns.
    places: [B, 2] (y, x) of the unit in that map.

  Raises:
    InputError: a layer on the way is followed by what has no way down.
  """
  names = [layer.name for layer in layers]
  below = [_with_a_way_down(layer) for layer in layers[:names.index(name)]]
  reached = [*below, layers[names.index(name)]]

  def up(patches):
    return activations(reached, params, patches, (name,))[name]

  put_out, down = jax.vjp(up, patches)
  unit = (jnp.arange(len(patches)), places[:, 0], places[:, 1], maps)
  alone = jnp.zeros_like(put_out).at[unit].set(put_out[unit])
  return down(alone)[0]


def _with_a_way_down(layer):
  """The layer that computes the same, with the rules of the projection."""
  for f in layer.post_ops:
    if _bare(f) not in WAYS_DOWN:
      raise InputError(
          f'{layer.name} is followed by {getattr(_bare(f), "__name__", f)},'
          ' which no projection can pass: say in WAYS_DOWN of projection.py how'
          ' it is to be undone, or choose --layers up to'
          f' {layer.name}.')
  return layer._replace(post_ops=tuple(
      _with_rule(f, WAYS_DOWN[_bare(f)]) for f in layer.post_ops))


def _bare(f):
  return f.func if isinstance(f, functools.partial) else f


def _with_rule(f, rule):
  @jax.custom_vjp
  def step(x):
    return f(x)

  def up(x):
    return f(x), x

  def down(x, signal):
    return (rule(f, x, signal),)

  step.defvjp(up, down)
  return step


def _rectify(f, x, signal):
  del f, x
  return jax.nn.relu(signal)


def _pass(f, x, signal):
  del f, x
  return signal


def _unpool(f, x, signal):
  """Each signal goes to the one place of its window's maximum.

  Of equal maxima it is the first, row by row. (The gradient of `L.max_pool`
  goes to all: in a window of zeros, of which ReLU leaves many, that would
  multiply the signal by nine.) Signals of windows that share a place add up.
  """
  size, stride = _window(f)
  over = [(0, max(0, (out - 1) * stride + size - side))
          for out, side in zip(signal.shape[1:3], x.shape[1:3], strict=True)]
  _, down = jax.vjp(functools.partial(
      nn.max_pool, window_shape=(size, size), strides=(stride, stride),
      padding=over), x)
  return down(signal)[0]


def _spread(f, x, signal):
  """Each signal goes to all that its mean was made of."""
  return jax.vjp(f, x)[1](signal)[0]


# How a signal passes, downwards, what follows the weights. Zeiler and Fergus
# have rules for ReLU and max-pooling; the norms they leave as they are.
WAYS_DOWN: dict[Callable, Callable] = {
    jax.nn.relu: _rectify,
    jnp.tanh: _pass,
    L.local_response_norm: _pass,
    L.within_map_norm: _pass,
    L.max_pool: _unpool,
    L.avg_pool: _spread,
}


# --- What a unit reads --------------------------------------------------------


def fields(layers: Sequence[Layer], num_columns: int,
           patch: int) -> dict[str, Field]:
  """Of every layer whose units have places in the patch, from below.

  The norms are passed by, as they are on the way down.
  """
  found, field = {}, Field(0, 1, 1)
  for layer, reads, neurons, _ in columns.layer_shapes(
    layers, num_columns, patch
  ):
    if len(neurons) < 3:
      break
    field = _read_through(field, *_kernel(layer.module, reads[0]))
    found[layer.name] = field
    for f in layer.post_ops:
      if _bare(f) in (L.max_pool, L.avg_pool):
        field = _read_through(field, *_window(f), 0)
  return found


def square_of(field: Field, place: Sequence[int]) -> tuple[int, int, int]:
  """(top, left, side) of what the unit at (y, x) reads; it may hang over."""
  top, left = (field.first + field.step * at for at in place)
  return top, left, field.size


def moved_inside(square: tuple[int, int, int],
                 patch: int) -> tuple[int, int, int]:
  """The same square where the patch has pixels for all of it.

  At an edge it then holds some that the unit does not read; of a square larger
  than the patch the whole patch is left.
  """
  top, left, side = square
  side = min(side, patch)
  top, left = (min(max(at, 0), patch - side) for at in (top, left))
  return top, left, side


def _read_through(field, size, stride, padding):
  """The field of units that read `size` such units, `stride` apart."""
  return Field(field.first - padding * field.step, field.step * stride,
               field.size + (size - 1) * field.step)


def _kernel(module, side):
  """(size, stride, zeros before the edge); square, as all kernels here."""
  if isinstance(module, L.LocallyConnected):
    return module.size, 1, (module.size - 1) // 2
  size, stride, padding = module.kernel_size[0], module.strides, module.padding
  if isinstance(padding, str):
    padding = lax.padtype_to_pads((side,), (size,), (stride,), padding)
  return size, stride, padding if isinstance(padding, int) else padding[0][0]


def _window(pool):
  """(size, stride) of a pooling, given in a `partial` or by default."""
  given = inspect.signature(pool).parameters
  return given['size'].default, given['stride'].default
