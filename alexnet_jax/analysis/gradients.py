"""How large the outputs and the gradients of every layer are, in one step.

The step is that of training itself, with its augmentation, dropout, statistics
of the batch and side classifiers; only its update is left out. Behind each
layer is a meter: it passes the outputs on, and what automatic differentiation
takes for the gradient of its parameter are two norms.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from alexnet_jax.learning import step
from alexnet_jax.learning.augment import PixelStats
from alexnet_jax.learning.learning_rate import Rates
from alexnet_jax.learning.plateau import initial_plateau
from alexnet_jax.network import classifier, models
from alexnet_jax.network.classifier import Model
from alexnet_jax.network.columns import Layer
from alexnet_jax.network.shapes import layer_shapes
from alexnet_jax.run.experiment import Experiment
from alexnet_jax.run.typed_config import MeshShape, Settings

METER = '{} meter'  # the name of the meter of a layer
SOFTMAX = 'fc8'


class LayerSizes(NamedTuple):
  """Root mean squares over the units, or weights, of one layer.

  Outputs are what the next layer reads: after nonlinearity, pooling and
  dropout; those of fc8 are the logits. Their gradients are of the loss of one
  image, those of the kernels of the mean loss of the batch.
  """

  layer: str
  outputs: float
  output_gradients: float
  kernels: float | None  # None of a layer without kernels
  kernel_gradients: float | None


class Measured(NamedTuple):
  """One step, with the layers from the first up."""

  loss: float  # of fc8, without side classifiers
  # Of all parameters together that are not frozen, as clipping sees it.
  gradient_norm: float
  layers: tuple[LayerSizes, ...]


def settings_to_measure(settings: Settings, batch_size: int = 0) -> Settings:
  """Returns the settings of the same step in float32, on one device.

  Learning rates are left out, as no parameter moves, and so is the length of
  the run.

  Args:
    settings: those of a run.
    batch_size: number of images; 0: as many as in the run.
  """
  return settings._replace(
      precision='float32', mesh=MeshShape(1, 1),
      optimizer=settings.optimizer._replace(
          batch_size=batch_size or settings.optimizer.batch_size, accumulate=1,
          rates=Rates(frozen=settings.optimizer.rates.frozen),
          layer_decays=()),
      run=settings.run._replace(steps=1, workers=0))


def make_measurement(
    built: Experiment, class_weights: np.ndarray | None = None
) -> Callable[[Any, PixelStats, dict[str, jax.Array]], Measured]:
  """Returns f(variables, input statistics, batch) -> Measured.

  Crops, color jitter and dropout are those of the first step of the run.

  Args:
    built: an experiment of `settings_to_measure`.
    class_weights: factors of the loss of each class's examples, [classes].
  """
  model = with_meters(built)
  train_step = built._replace(
      model=model, optimizer=_keep_gradients()).train_step(class_weights)
  norms = jax.jit(lambda tree: jax.tree.map(norm, tree))

  def measure(variables, stats, batch):
    params, batch_stats = classifier.split(variables)
    copied = jax.tree.map(jnp.copy, (params, stats, batch_stats))
    params, stats, batch_stats = copied  # the step donates its state
    state, losses = train_step(step.State(
        jnp.int32(0), _add_meters(params, built.model), (), jnp.float32(0),
        initial_plateau(), stats, batch_stats), batch)
    return _summary(built, len(batch['label']), float(losses['loss']),
                    *jax.device_get((
                        norms(state.params), norms(state.opt_state),
                        _meters(state.opt_state))),
                    jax.tree.map(jnp.size, variables))

  return measure


def _keep_gradients() -> optax.GradientTransformationExtraArgs:
  """An update rule that changes nothing; its state are the gradients."""

  def update(updates, state, params=None, **rates):
    del state, params, rates
    return jax.tree.map(jnp.zeros_like, updates), updates

  return optax.GradientTransformationExtraArgs(lambda params: (), update)


# --- Meters -------------------------------------------------------------------


@jax.custom_vjp
def meter(x: jax.Array, norms: jax.Array) -> jax.Array:
  """Returns x; the gradient of `norms` [2] is norm(x) and norm(dL/dx)."""
  del norms
  return x


meter.defvjp(
    lambda x, norms: (x, x),
    lambda x, g: (g, jnp.stack([norm(x), norm(g)])))


def norm(x: jax.Array) -> jax.Array:
  """Returns the Euclidean norm of all numbers, also where squares are zero."""
  largest = jnp.abs(x).max()
  scale = jnp.where(largest > 0, largest, 1)
  return scale * jnp.sqrt(jnp.square(x / scale).sum())


class Meter(nn.Module):
  """A layer that leaves its input as it is and measures it."""

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    return meter(x, self.param('norms', nn.initializers.zeros, (2,)))


def with_meters(built: Experiment) -> Model:
  """Returns the network with a meter behind each layer, and behind fc8.

  Side classifiers read what the meter has passed on, so that their part of
  the gradient is measured too.
  """
  plain = built.model
  layers = []
  for layer in plain.layers:
    layers += [layer._replace(side=()),
               Layer(METER.format(layer.name), Meter(), False, (),
                     side=layer.side)]
  metered = models.with_precision(built.settings.precision, classifier.build(
      layers, plain.softmax, built.settings.model, built.mesh, plain.patch,
      plain.side_weight))

  def forward(variables, patches, keys=None):
    outputs = metered.forward(variables, patches, keys)
    norms = variables[METER.format(SOFTMAX)]['norms']
    return outputs._replace(logits=meter(outputs.logits, norms))

  return metered._replace(forward=forward)


def _add_meters(params, model):
  columns_norms = {
      METER.format(layer.name): {'norms': jnp.zeros((model.num_columns, 2))}
      for layer in model.layers}
  return {**params, 'columns': {**params['columns'], **columns_norms},
          METER.format(SOFTMAX): {'norms': jnp.zeros(2)}}


def _meters(gradients):
  """Returns what the meters have measured, {layer: [2] or [K, 2]}."""
  named = {**gradients['columns'], **gradients}
  return {name: one['norms'] for name, one in named.items() if 'norms' in one}


# --- From norms to root mean squares ------------------------------------------


def _summary(built: Experiment, images: int, loss: float, weights: Any,
             gradients: Any, meters: dict[str, np.ndarray],
             counts: Any) -> Measured:
  """Returns the numbers of one step.

  Args:
    built: the experiment without meters.
    images: number of images in the batch.
    loss: the loss of the batch.
    weights: {'columns': {layer: ...}, 'fc8': ...}, the norm of each parameter.
    gradients: the norm of the gradient of each parameter, likewise.
    meters: {meter: norms of outputs and of their gradients, by column}.
    counts: how many numbers each parameter has.
  """
  model = built.model
  units = {shapes.layer.name: model.num_columns * math.prod(shapes.outputs)
           for shapes in layer_shapes(
               model.layers, model.num_columns, model.patch)}
  weights, gradients, counts = (
      {**tree['columns'], SOFTMAX: tree[SOFTMAX]}
      for tree in (weights, gradients, counts))
  rows = []
  for name, count in {**units, SOFTMAX: built.num_classes}.items():
    outputs, backward = _together(
        meters[METER.format(name)].reshape(-1, 2)) / math.sqrt(images * count)
    size = sum(_kernels(counts[name]))
    kernels, kernel_gradients = (
        float(_together(_kernels(tree[name]))) / math.sqrt(size)
        if size else None for tree in (weights, gradients))
    rows.append(LayerSizes(name, float(outputs), float(images * backward),
                           kernels, kernel_gradients))
  frozen = built.settings.optimizer.rates.frozen
  whole = _together(jax.tree.leaves(
      {name: gradients[name] for name in counts if name not in frozen}))
  return Measured(loss, float(whole), tuple(rows))


def _kernels(layer: Any) -> list[Any]:
  """Returns the leaves of a layer that are of kernels; blocks have several."""
  return [leaf for path, leaf in jax.tree_util.tree_leaves_with_path(layer)
          if path[-1].key == 'kernel']


def _together(norms: Sequence[Any] | np.ndarray) -> np.ndarray:
  """Returns the norm of parts whose norms are given along the first axis."""
  return np.sqrt(np.square(np.asarray(norms, np.float64)).sum(0))
