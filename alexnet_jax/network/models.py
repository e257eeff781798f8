"""Networks by the name in `config.model.name`, and their numerical precision.

Parameters are float32 in all precisions. 'float32' is the precision of the
paper's GPUs. 'tf32' rounds the inputs of matrix products and convolutions to
ten bits of mantissa, on devices that support it. 'bfloat16' computes and stores
all maps in sixteen bits, with seven bits of mantissa. The norms (3.3), the
statistics of a batch and the softmax are computed in float32, since the
differences between their sums are smaller than bfloat16 resolves.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from alexnet_jax.errors import InputError
from alexnet_jax.network import (
  alexnet,
  alexnet_2012,
  cifar,
  cifar_local,
  full_layers,
  fused,
  googlenet,
  lenet,
  published,
  resnet,
  vgg,
)
from alexnet_jax.network.classifier import Model, merge, split
from alexnet_jax.network.placement import DATA

NETWORKS: Mapping[str, Any] = {
    'alexnet': alexnet, 'alexnet_2012': alexnet_2012,
    'cifar': cifar, 'cifar_local': cifar_local, 'published': published,
    'lenet': lenet, 'vgg': vgg, 'googlenet': googlenet, 'resnet': resnet}
Spec = (alexnet.Spec | alexnet_2012.Spec | cifar.Spec | cifar_local.Spec
        | published.Spec | lenet.Spec | vgg.Spec | googlenet.Spec | resnet.Spec)

# The names that `jax.default_matmul_precision` takes; without this setting JAX
# rounds float32 on a GPU.
PRECISIONS = {'float32': 'float32', 'tf32': 'tensorfloat32', 'bfloat16': None}


def read_spec(fields: Mapping[str, Any]) -> Spec:
  """Returns the specification for `config.model`, which includes 'name'.

  Raises:
    InputError: there is no such network, or the fields are not exactly those of
      the network.
  """
  name = fields['name']
  if name not in NETWORKS:
    raise InputError(f'config.model.name={name!r} is not known: give one of'
                     f' {", ".join(NETWORKS)}.')
  spec = NETWORKS[name].Spec
  known = {field.name for field in dataclasses.fields(spec)}
  values = {field: _with_tuples(value)
            for field, value in fields.items() if field != 'name'}
  if values.keys() != known:
    wrong = sorted(values.keys() ^ known)
    raise InputError(
        f'config.model of {name!r} and that network differ in'
        f' {", ".join(wrong)}: give exactly the fields {", ".join(known)}.')
  return spec(**values)


def _with_tuples(value: Any) -> Any:
  """Returns tuples in place of the lists of JSON, which have no hash."""
  return (tuple(map(_with_tuples, value)) if isinstance(value, list | tuple)
          else value)


def has_field(fields: Mapping[str, Any], name: str) -> bool:
  """Returns whether the network of `config.model` has a field of this name."""
  network = NETWORKS.get(str(fields.get('name')))
  return network is not None and name in {
      field.name for field in dataclasses.fields(network.Spec)}


def build(spec: Spec, mesh: Mesh, num_classes: int, patch: int,
          precision: str = 'float32', parallel: str = 'data',
          norm_and_pooling: str = 'xla') -> Model:
  """Builds the network of a specification.

  Args:
    spec: specification of one of NETWORKS.
    mesh: devices that run the network.
    num_classes: number of outputs of the softmax layer.
    patch: side of the square input in pixels.
    precision: one of PRECISIONS.
    parallel: one of full_layers.PARALLEL: whether the devices along 'data'
      divide the batch or the neurons of the full layers.
    norm_and_pooling: one of fused.FORMS.

  Raises:
    InputError: a field or the precision is invalid, the neurons of the full
      layers cannot be divided, or the devices do not run the kernel.
  """
  name, module = next((name, module) for name, module in NETWORKS.items()
                      if type(spec) is module.Spec)
  model = module.build(spec, mesh, num_classes, patch)
  layers = model.layers
  if norm_and_pooling == 'triton':
    fused.check_devices(mesh)
    model = fused.fuse(model, mesh)
  if parallel == 'model' and mesh.shape[DATA] > 1:
    model = full_layers.divide(model, mesh)
  return with_precision(
      precision, model._replace(layers=layers, network=name, spec=spec))


def with_precision(precision: str, model: Model) -> Model:
  """Returns the same network, computing in 'float32', 'tf32' or 'bfloat16'.

  The parameters are float32 master weights, and their gradients are float32.

  Raises:
    InputError: the precision is not known.
  """
  if precision not in PRECISIONS:
    raise InputError(f'config.precision={precision!r} is not known: give one of'
                     f' {", ".join(PRECISIONS)}.')
  return model._replace(forward=forward_in_precision(precision, model.forward))


def forward_in_precision(precision: str, forward: Callable) -> Callable:
  """Returns forward(variables, patches, ...), computing in a precision."""
  if precision != 'bfloat16':

    def in_float32(variables, patches, *keys):
      with jax.default_matmul_precision(PRECISIONS[precision]):
        return forward(variables, patches, *keys)

    return in_float32

  def in_bfloat16(variables, patches, *keys):
    params, batch_stats = split(variables)
    params, patches = _cast((params, patches), jnp.bfloat16)
    return _cast(forward(merge(params, batch_stats), patches, *keys),
                 jnp.float32)

  return in_bfloat16


def _cast(tree: Any, dtype) -> Any:
  return jax.tree.map(lambda leaf: leaf.astype(dtype), tree)
