"""The time of every layer alone, forward and backward.

A layer is timed as the network runs it, with all the columns of one device in
a loop, on the shapes of the batch. Its weights and the functions after them are
timed separately. A large matrix product takes turns with each of them; it is
the speed that the device reaches if only arithmetic counts.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from alexnet_jax.bench import turns
from alexnet_jax.bench.turns import Row
from alexnet_jax.network import classifier, columns, describe, partners, rng
from alexnet_jax.network.columns import Layer
from alexnet_jax.network.models import Model

# Rows of the matrices: enough for the peak of two CPU cores (420-450 GFLOP/s
# with 2048, measured), and more for devices that are a hundred times as fast.
PEAK_SIZE = {'cpu': 2048}
PEAK_SIZE_ELSEWHERE = 8192


class Pass(NamedTuple):
  """One direction through a part of a layer."""

  seconds: float  # Median.
  gflops_per_second: float | None  # None if it is not mostly products.
  of_peak: float | None  # Share of the matrix product, same turns.


class Part(NamedTuple):
  """A layer's weights, or the functions that follow them."""

  layer: str
  what: str  # 'weights' or the names of functions.
  forward: Pass
  backward: Pass  # Gradients of weights and input together.
  peak: float  # Median GFLOP/s of the matrix product beside it.


class _Work(NamedTuple):
  """The functions that run one part once."""

  layer: str
  what: str
  forward: Callable[[], Any]
  backward: Callable[[], Any]
  flops: tuple[float, float] | tuple[None, None]  # Forward, backward.


def parts(model: Model, params: Any, patches: jax.Array, num_classes: int,
          local: int, rounds: int, turn_seconds: float) -> Iterator[Part]:
  """Times the layers one after the other, starting at the pixels.

  Args:
    model: the network.
    params: all of its variables, on one device.
    patches: the patches of one data shard, [b, P, P, 3], on the same device.
    num_classes: the number of outputs of the softmax layer.
    local: the number of columns on one device.
    rounds: turns of each part.
    turn_seconds: the minimum duration of a turn.
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
  """Yields the layers in order, each on the output of the previous one."""
  images = len(patches) * local / model.num_columns  # Per device.
  flops = {row.layer: (images * row.flops,
                       images * (row.step_flops - row.flops))
           for row in describe.layer_rows(model, num_classes)}
  keys = jax.device_put(
      rng.per_example(rng.stream(0, 'dropout'), len(patches)), patches.device)
  averages = classifier.split(params)[1].get('columns', {})
  xs = [patches] * local
  for layer in model.layers:
    reads_pixels = layer is model.layers[0]
    layer_params = jax.tree.map(
        lambda leaf: leaf[:local], params['columns'][layer.name])
    stats = jax.tree.map(lambda leaf: leaf[:local], averages.get(layer.name))
    work, xs = _of_weights(
        layer.name, _weights(layer, model.num_columns, reads_pixels, stats),
        (layer_params, xs), flops[layer.name], with_input=not reads_pixels)
    yield work
    if layer.post_ops or layer.dropout:
      work, xs = _of_what_follows(layer, keys, xs)
      yield work
  features = jnp.concatenate(xs, axis=-1)
  layer_params = {'kernel': params['fc8']['kernel'][:features.shape[1]],
          'bias': params['fc8']['bias']}
  yield _of_weights(
      'fc8',
      lambda layer_params, x: model.softmax.apply({'params': layer_params}, x),
      (layer_params, features), flops['fc8'])[0]


def _weights(layer: Layer, num_columns: int, reads_pixels: bool,
             batch_stats: Any) -> Callable:
  """Returns f(parameters, maps) -> maps, over all local columns.

  If the layer crosses columns, the local maps replace those of the columns on
  other devices. Pixels are the same for every column. Batches are normalized by
  running averages, as in a test.
  """

  def weights(layer_params: Any, xs: Sequence[jax.Array]):
    if layer.crosses:
      every = [*xs] * (num_columns // len(xs))
      together = jnp.concatenate(
          every[:partners.columns_read(layer.partners, num_columns)], axis=-1)
      xs = [together] * len(xs)
    elif reads_pixels:
      xs = [xs[0]] * len(xs)
    return columns.apply_weights(layer, layer_params, xs, batch_stats)

  return weights


def _of_weights(name, f, arguments, flops, with_input=True):
  """Times f, which is linear: its gradients need its input, not its output.

  `with_input` is False for the first layer, where training does not need the
  gradient of the pixels.
  """
  forward = jax.jit(f)

  @jax.jit
  def backward(arguments, g):
    of_weights, of_input = jax.vjp(f, *arguments)[1](g)
    return (of_weights, of_input) if with_input else of_weights

  ys = forward(*arguments)
  return _Work(name, 'weights', lambda: forward(*arguments),
               lambda: backward(arguments, ys), flops), ys


def _of_what_follows(layer, keys, ys):
  """Times the functions after the weights; backward uses saved residuals."""

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
