"""Projection of deeper units to pixels, by the method of Zeiler and Fergus.

The paper shows only the kernels of conv1 (Figure 3). "Visualizing and
Understanding Convolutional Networks" (ECCV 2014, section 2.1) shows deeper
layers: keep one unit of a layer, set all others to zero, and propagate down to
the pixels. Pooling is inverted by its switches, the positions of the maxima in
this image; ReLU rectifies the signal; weights are applied transposed. This is
the gradient of the network with other rules for the operations after the
weights, so it is computed as a gradient.

The activation of a unit is the output of its kernel, bias included, before the
norm, pooling and nonlinearity of its layer. ReLU does not change a positive
activation, and other units are never shown. Maps are numbered over all columns,
those of column 1 first.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from alexnet_jax.analysis.receptive_fields import bare, window
from alexnet_jax.errors import InputError
from alexnet_jax.network import classifier, columns, partners, published
from alexnet_jax.network.columns import Layer
from alexnet_jax.network.pooling import avg_pool, max_pool
from alexnet_jax.network.response_norm import (
  local_response_norm,
  within_map_norm,
)


class Strongest(NamedTuple):
  """The T strongest units of each of M maps, each in a different image."""

  activations: np.ndarray  # [T, M] descending; -inf without an image
  images: np.ndarray  # [T, M]
  places: np.ndarray  # [T, M, 2] (y, x)


# --- Up: activations ----------------------------------------------------------


def activations(layers: Sequence[Layer], params: Any, patches: jax.Array,
                names: Sequence[str]) -> dict[str, jax.Array]:
  """Computes maps of some layers: [B, P, P, 3] -> {layer: [B, H, W, K*C]}.

  Args:
    layers: layers of one column; all columns run on one device.
    params: parameters of the columns; every leaf has a leading axis K.
    patches: patches with the mean subtracted.
    names: names of the layers; layers above the last of them are not computed.
  """
  by_layer = {}
  num_columns = len(jax.tree.leaves(params)[0])
  xs = [patches] * num_columns
  for layer in layers:
    if len(by_layer) == len(names):
      break
    if layer.partners:
      xs = partners.read(
          layer.partners, jnp.concatenate(xs, axis=-1), num_columns, 0)
    elif layer.crosses:
      xs = [jnp.concatenate(xs, axis=-1)] * num_columns
    xs = columns.apply_weights(layer, params[layer.name], xs)
    if layer.name in names:
      by_layer[layer.name] = jnp.concatenate(xs, axis=-1)
    for f in layer.post_ops:
      xs = [f(x) for x in xs]
  return by_layer


def strongest_units(maps: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Finds each map's strongest unit: [B, H, W, M] -> [B, M], [B, M, (y, x)]."""
  batch, _, width, count = maps.shape
  flat = maps.reshape(batch, -1, count)
  at = flat.argmax(1)
  return flat.max(1), jnp.stack([at // width, at % width], axis=-1)


def no_units_yet(top: int, count: int) -> Strongest:
  """Returns `top` empty entries for each of `count` maps."""
  return Strongest(np.full((top, count), -np.inf, np.float32),
                   np.full((top, count), -1), np.zeros((top, count, 2), int))


def keep_strongest(strongest: Strongest, activations: np.ndarray,
                   images: np.ndarray, places: np.ndarray) -> Strongest:
  """Merges the strongest units so far with one unit of each new image.

  Ties are resolved in favor of the earlier image.

  Args:
    strongest: the strongest units so far.
    activations: activation of one unit per image and map [B, M].
    images: indices of the images [B].
    places: positions (y, x) of the units [B, M, 2].
  """
  top, count = strongest.activations.shape
  numbers = np.broadcast_to(images[:, None], (len(images), count))
  everything = [np.concatenate(pair) for pair in zip(
      strongest, (activations, numbers, places), strict=True)]
  order = np.argsort(-everything[0], axis=0, kind='stable')[:top]
  each = np.arange(count)[None]
  return Strongest(*(one[order, each] for one in everything))


def choose_maps(strongest: Strongest, count: int,
                num_columns: int) -> np.ndarray:
  """Chooses the maps with the strongest units on average, evenly by column.

  If `count` is not divisible by the number of columns, the first columns get
  one more map each.

  Args:
    strongest: the strongest units of every map.
    count: number of maps to choose.
    num_columns: number of columns of the network.
  """
  mean = np.maximum(strongest.activations, 0).mean(0).reshape(num_columns, -1)
  chosen = []
  for column, strengths in enumerate(mean):
    share = count // num_columns + (column < count % num_columns)
    best = np.argsort(-strengths, kind='stable')[:share]
    chosen.append(np.sort(best) + column * mean.shape[1])
  return np.concatenate(chosen)


# --- Down: the projection -----------------------------------------------------


def project(layers: Sequence[Layer], params: Any, patches: jax.Array,
            name: str, maps: jax.Array, places: jax.Array) -> jax.Array:
  """Projects one unit per patch to the pixels.

  The propagation starts with the activation of this unit only.

  Args:
    layers: layers of one column.
    params: parameters of the columns; every leaf has a leading axis K.
    patches: patches with the mean subtracted [B, P, P, 3].
    name: name of the layer of the units.
    maps: index of the map of each unit, over all columns [B].
    places: position (y, x) of each unit in its map [B, 2].

  Returns:
    The signed projections [B, P, P, 3].

  Raises:
    InputError: a layer below has an operation without a projection rule.
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
  """Returns the same layer with the projection rules as its gradients."""
  for f in layer.post_ops:
    if bare(f) not in WAYS_DOWN:
      raise InputError(
          f'{layer.name} is followed by {getattr(bare(f), "__name__", f)},'
          ' which no projection can pass: say in WAYS_DOWN of projection.py how'
          ' it is to be undone, or choose --layers up to'
          f' {layer.name}.')
  return layer._replace(post_ops=tuple(
      _with_rule(f, WAYS_DOWN[bare(f)]) for f in layer.post_ops))


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


def _with_sign(f, x, signal):
  """Rectifies, and gives back the sign that the absolute value took away."""
  del f
  return jnp.sign(x) * jax.nn.relu(signal)


def _unpool(f, x, signal):
  """Passes each signal to the position of the maximum of its window.

  If several units equal the maximum, it is the first in row-major order. (The
  gradient of `pooling.max_pool` goes to all of them: in a window of zeros, of
  which ReLU gives many, this would multiply the signal by nine.) Signals of
  windows that share a position are added.
  """
  size, stride = window(f)
  over = [(0, max(0, (out - 1) * stride + size - side))
          for out, side in zip(signal.shape[1:3], x.shape[1:3], strict=True)]
  _, down = jax.vjp(functools.partial(
      nn.max_pool, window_shape=(size, size), strides=(stride, stride),
      padding=over), x)
  return down(signal)[0]


def _spread(f, x, signal):
  """Distributes each signal over all units of its mean."""
  return jax.vjp(f, x)[1](signal)[0]


# The rule for propagating a signal down through each operation after the
# weights. Zeiler and Fergus give rules for ReLU and max-pooling. Of the other
# nonlinearities, those that are never negative rectify too, and the rest pass
# the signal unchanged, as the norms do.
WAYS_DOWN: dict[Callable, Callable] = {
    **dict.fromkeys((nn.relu, nn.relu6, nn.sigmoid, nn.hard_sigmoid,
                     nn.softplus), _rectify),
    **dict.fromkeys((nn.tanh, nn.leaky_relu, nn.elu, nn.celu, nn.selu, nn.gelu,
                     nn.silu, nn.soft_sign, nn.hard_tanh, nn.hard_silu), _pass),
    classifier.abs_tanh: _with_sign,
    local_response_norm: _pass,
    within_map_norm: _pass,
    published.norm_in_groups: _pass,
    published.keep_whole_windows: _spread,
    max_pool: _unpool,
    avg_pool: _spread,
}
