"""Where a training step goes: every layer alone, forward and backward.

A layer is timed as the network runs it, with all the columns of one device in
a loop, on the shapes of the batch. Its weights and what follows them stand
apart, and beside each in the same turns stands a large matrix product: what
the device reaches where nothing but arithmetic counts.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from alexnet_jax.bench import turns
from alexnet_jax.bench.turns import Row
from alexnet_jax.network import columns, describe, rng
from alexnet_jax.network.columns import Layer
from alexnet_jax.network.models import Model

# Rows of the matrices: enough for the peak of two CPU cores (420-450 GFLOP/s
# with 2048, measured), and more for a device that is a hundred times as fast.
PEAK_SIZE = {'cpu': 2048}
PEAK_SIZE_ELSEWHERE = 8192


class Pass(NamedTuple):
  """One direction through a part of a layer."""

  seconds: float  # median
  gflops_per_second: float | None  # None where it is not mostly products
  of_peak: float | None  # share of the matrix product's speed, same turns


class Part(NamedTuple):
  """A layer's weights, or what follows them."""

  layer: str
  what: str  # 'weights' or the names of functions
  forward: Pass
  backward: Pass  # gradients of weights and input together
  peak: float  # GFLOP/s of the matrix product beside it, median


class _Work(NamedTuple):
  """How a part is done once."""

  layer: str
  what: str
  forward: Callable[[], Any]
  backward: Callable[[], Any]
  flops: tuple[float, float] | tuple[None, None]  # forward, backward


def parts(model: Model, params: Any, patches: jax.Array, num_classes: int,
          local: int, rounds: int, turn_seconds: float) -> Iterator[Part]:
  """Times the layers one after the other, from the pixels up.

  Args:
    model: the network.
    params: all of its parameters, on one device.
    patches: [b, P, P, 3] of one data shard, on the same device.
    num_classes: outputs of the softmax layer.
    local: columns that one device holds.
    rounds: turns of each.
    turn_seconds: that a turn at least lasts.
  """
  size = PEAK_SIZE.get(jax.default_backend(), PEAK_SIZE_ELSEWHERE)
  matrix = jax.device_put(
      np.random.default_rng(0).standard_normal((size, size), np.float32),
      patches.device)
  dot = jax.jit(jnp.dot)
  product = Row(lambda: dot(matrix, matrix), turn_seconds)
  product.warm_up()
  for work in _walk(model, params, patches, num_classes, local):
    forward = Row(work.forward, turn_seconds)
    backward = Row(work.backward, turn_seconds)
    forward.warm_up()
    backward.warm_up()
    turns.take_turns(
        {'peak': product, 'forward': forward, 'backward': backward}, rounds)
    peak = [2 * size**3 / 1e9 / took for took in product.seconds[-rounds:]]
    yield Part(work.layer, work.what,
               _pass(forward.seconds, work.flops[0], peak),
               _pass(backward.seconds, work.flops[1], peak),
               turns.spread(peak).median)


def _pass(seconds, flops, peak) -> Pass:
  middle = turns.spread(seconds).median
  if flops is None:
    return Pass(middle, None, None)
  shares = [flops / 1e9 / took / best
            for took, best in zip(seconds, peak, strict=True)]
  return Pass(middle, flops / 1e9 / middle, turns.spread(shares).median)


def _walk(model, params, patches, num_classes, local) -> Iterator[_Work]:
  """The layers in turn, each on what the last one puts out."""
  own = len(patches) * local / model.num_columns  # what one device does
  flops = {row.layer: (own * row.flops, own * (row.step_flops - row.flops))
           for row in describe.layer_rows(model, num_classes)}
  keys = jax.device_put(
      rng.per_example(rng.stream(0, 'dropout'), len(patches)), patches.device)
  xs = [patches] * local
  for layer in model.layers:
    reads_pixels = layer is model.layers[0]
    held = jax.tree.map(
        lambda leaf: leaf[:local], params['columns'][layer.name])
    work, xs = _of_weights(
        layer.name, _weights(layer, model.num_columns, reads_pixels),
        (held, xs), flops[layer.name], with_input=not reads_pixels)
    yield work
    if layer.post_ops or layer.dropout:
      work, xs = _of_what_follows(layer, keys, xs)
      yield work
  features = jnp.concatenate(xs, axis=-1)
  held = {'kernel': params['fc8']['kernel'][:features.shape[1]],
          'bias': params['fc8']['bias']}
  yield _of_weights(
      'fc8', lambda held, x: model.softmax.apply({'params': held}, x),
      (held, features), flops['fc8'])[0]


def _weights(layer: Layer, num_columns: int, reads_pixels: bool) -> Callable:
  """f(parameters, maps) of every local column -> maps.

  Where the layer crosses, the maps of other devices' columns are stood in for
  by those of our own. Pixels are the same for every column.
  """

  def weights(held: Any, xs: Sequence[jax.Array]):
    if layer.crosses:
      together = jnp.concatenate([*xs] * (num_columns // len(xs)), axis=-1)
      xs = [together] * len(xs)
    elif reads_pixels:
      xs = [xs[0]] * len(xs)
    return columns.apply_weights(layer, held, xs)

  return weights


def _of_weights(name, f, given, flops, with_input=True):
  """F is linear: its gradients need what is given, not what it put out.

  Nobody wants the gradient of the pixels, hence `with_input`.
  """
  forward = jax.jit(f)

  @jax.jit
  def backward(given, g):
    of_weights, of_input = jax.vjp(f, *given)[1](g)
    return (of_weights, of_input) if with_input else of_weights

  ys = forward(*given)
  return _Work(name, 'weights', lambda: forward(*given),
               lambda: backward(given, ys), flops), ys


def _of_what_follows(layer, keys, ys):
  """The gradient gets what the forward pass has kept for it."""

  def follow(ys):
    return [
      columns.apply_post_ops(layer, y, rng.column_keys(keys, layer.name, k))
      for k, y in enumerate(ys)
    ]

  forward = jax.jit(lambda ys: jax.vjp(follow, ys))
  backward = jax.jit(lambda pull, g: pull(g))
  outputs, pull = forward(ys)
  names = [getattr(f, 'func', f).__name__ for f in layer.post_ops]
  return _Work(
      layer.name, ', '.join(names + ['dropout'] * layer.dropout),
      lambda: forward(ys), lambda: backward(pull, outputs),
      (None, None)), outputs
