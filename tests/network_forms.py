"""Small networks of every form, with the logits that JAX gives them."""

import functools
from typing import Any, NamedTuple

import jax
import nets
import numpy as np

from alexnet_jax.network import placement
from alexnet_jax.network.classifier import Model

CLASSES, BATCH = 5, 3
SMALL: dict[str, Any] = {
    'kernels': (4, 6, 6, 6, 4), 'neurons': (8, 8), 'stddevs': (0.1,) * 8}
CIFAR: dict[str, Any] = {'kernels': (4, 4, 6)}
PUBLISHED: dict[str, Any] = {
    'kernels': (4, 6, 8, 6, 8), 'neurons': (8, 12)}
CAFFE: dict[str, Any] = {
    'groups': (1, 2, 1, 2, 2), 'conv1_padding': 0, 'response_norm': True,
    'pooling_rounds_up': True, 'dropout_before': ('fc7', 'fc8'),
    'pixel_stddevs': ()}
PIXELS = (58.0, 57.0, 59.0)
RESNET: dict[str, Any] = {'kernels': (4, 6, 7), 'blocks': (1, 2, 1)}
# name: (network, side of a patch, fields that differ from its defaults). The
# poolings of 70 pixels extend past the edge, and conv5 leaves 2 x 2 units.
FORMS: dict[str, tuple[str, int, dict[str, Any]]] = {
    'alexnet': ('alexnet', 70, SMALL),
    'alexnet_2012': ('alexnet_2012', 64, SMALL),
    'one_gpu': ('alexnet', 70, SMALL | {
        'num_columns': 1, 'kernels': (4, 6, 6, 6, 8)}),
    'columns that never talk': ('alexnet', 110, SMALL | {
        'crossings': ('fc8',)}),
    'columns that always talk': ('alexnet', 64, SMALL | {
        'crossings': ('conv2', 'conv3', 'conv4', 'conv5', 'fc6', 'fc7',
                      'fc8')}),
    'four columns, even windows': ('alexnet', 110, SMALL | {
        'num_columns': 4, 'norm_n': 4, 'crossings': ('conv3', 'fc8')}),
    'no norm, tanh, no overlap': ('alexnet', 64, SMALL | {
        'response_norm': False, 'nonlinearity': 'tanh',
        'overlapping_pooling': False, 'dropout': False}),
    'six convolutions, a bottleneck, no fc7': ('alexnet', 110, SMALL | {
        'kernels': (4, 6, 6, 6, 4, 6), 'stddevs': (0.1,) * 9,
        'biases': (0.1,) * 9, 'bottleneck': 3, 'without': ('fc7',),
        'crossings': ('conv3', 'fc6', 'fc8')}),
    'cifar': ('cifar', 24, CIFAR | {'response_norm': True}),
    'cifar in two columns': ('cifar', 26, CIFAR | {
        'num_columns': 2, 'neurons': (8,), 'stddevs': (0.1,) * 5,
        'biases': (0.1,) * 5}),
    'torchvision': ('published', 70, PUBLISHED),
    'caffe_alexnet': ('published', 71, PUBLISHED | CAFFE),
    'caffenet': ('published', 67, PUBLISHED | CAFFE | {
        'norm_after_pooling': True, 'norm_groups': 2}),
    'lenet': ('lenet', 32, {}),
    'simplified lenet': ('lenet', 33, {
        'simplified': True, 'codes': False, 'kernels': (3, 4, 5),
        'neurons': (6,)}),
    'vgg': ('vgg', 36, {
        'kernels': (3, 4, 4, 5, 6), 'convolutions': (1, 2, 1, 2, 1),
        'neurons': (8, 12)}),
    "torchvision's vgg": ('vgg', 32, {
        'kernels': (3, 4, 4, 5, 6), 'convolutions': (1, 1, 2, 1, 1),
        'neurons': (8, 12), 'inverted_dropout': True, 'pixel_stddevs': PIXELS}),
    'batch normalization': ('alexnet', 70, SMALL | {'norm': 'batch'}),
    'resnet': ('resnet', 36, RESNET | {'shortcut': 'C'}),
    "torchvision's resnet": ('resnet', 33, RESNET | {
        'bottlenecks': True, 'stride_in_3x3': True, 'centered_pooling': True,
        'pixel_stddevs': PIXELS}),
    'bottlenecks without new weights in shortcuts': ('resnet', 36, RESNET | {
        'bottlenecks': True, 'shortcut': 'A'}),
    'plain': ('resnet', 16, RESNET | {
        'shortcut': 'none', 'small_images': True, 'norm_epsilon': 0.1}),
    'googlenet': ('googlenet', 64, {'width': 0.05}),
    "torchvision's googlenet": ('googlenet', 70, {
        'width': 0.05, 'norm': 'batch', 'norm_epsilon': 1e-3,
        'large_kernel': 3, 'last_pooling': 2, 'pixel_stddevs': PIXELS,
        'side_classifiers': False}),
}


class Problem(NamedTuple):
  """A network with random weights and what it makes of some patches."""

  model: Model
  params: Any
  patches: np.ndarray  # [B, size, size, 3]
  logits: np.ndarray  # [B, classes]


@functools.cache
def network(form):
  """(model, variables with random values) of a form."""
  name, patch, fields = FORMS[form]
  columns_of_form = fields.get('num_columns', 2 if name.startswith(
      'alexnet') else 1)
  model = nets.build(
      name, placement.make_mesh(1, 1, columns_of_form), CLASSES, patch,
      **fields)
  return model, random_values(
      jax.eval_shape(model.init, jax.random.key(0)), np.random.default_rng(0))


def random_values(shapes, draw):
  """Weights that keep the size of maps, norms and averages away from 0."""

  def leaf(path, shape):
    kind = path[-1].key
    if kind in ('scale', 'var'):
      return draw.uniform(0.5, 2, shape.shape).astype(np.float32)
    inputs = np.prod(shape.shape[1:-1]) if kind == 'kernel' else 1
    return draw.normal(0, inputs ** -0.5, shape.shape).astype(np.float32)

  return jax.tree_util.tree_map_with_path(leaf, shapes)


@functools.cache
def problem(form):
  model, params = network(form)
  patches = np.random.default_rng(1).normal(
      0, 50, (BATCH, model.patch, model.patch, 3)).astype(np.float32)
  logits, _ = jax.jit(model.apply)(params, patches)
  return Problem(model, params, patches, np.asarray(logits))


def assert_equal_logits(logits, expected):
  np.testing.assert_allclose(
      logits, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
