"""The structure of every network: columns with a softmax layer on top."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.sharding import Mesh

from alexnet_jax.errors import InputError
from alexnet_jax.network import columns
from alexnet_jax.network.batch_norm import BatchNorm
from alexnet_jax.network.columns import Layer
from alexnet_jax.network.shapes import initial_variables, layer_shapes


def abs_tanh(x: jax.Array) -> jax.Array:
  """Returns |tanh(x)|, which section 3.1 compares with the ReLU."""
  return jnp.abs(jnp.tanh(x))


# The nonlinearities of config.model.nonlinearity. All but |tanh| are Flax's.
NONLINEARITIES: Mapping[str, Callable[[jax.Array], jax.Array]] = {
    'relu': nn.relu, 'tanh': nn.tanh, 'abs_tanh': abs_tanh,
    'sigmoid': nn.sigmoid, 'leaky_relu': nn.leaky_relu, 'elu': nn.elu,
    'celu': nn.celu, 'selu': nn.selu, 'gelu': nn.gelu, 'silu': nn.silu,
    'swish': nn.swish, 'softplus': nn.softplus, 'soft_sign': nn.soft_sign,
    'relu6': nn.relu6, 'hard_tanh': nn.hard_tanh,
    'hard_sigmoid': nn.hard_sigmoid, 'hard_silu': nn.hard_silu,
    'hard_swish': nn.hard_swish, 'log_sigmoid': nn.log_sigmoid}


class ColumnSpec(Protocol):
  """The fields that the specification of every network has."""

  @property
  def num_columns(self) -> int: ...
  @property
  def crossings(self) -> Sequence[str]: ...


class Outputs(NamedTuple):
  """What a network computes from a batch."""

  logits: jax.Array  # [B, classes]
  features: jax.Array  # [B, K*C] of the last hidden layer
  side_logits: tuple[jax.Array, ...]  # of side classifiers, in training
  batch_stats: Any  # new running averages, in training; {} without such norms


class Model(NamedTuple):
  """A network: a pair of pure functions and the layers that define them.

  The functions share a tree of variables: {'columns': {layer: parameters},
  'fc8': parameters}, and 'batch_stats' if batches are normalized; see `merge`.
  """

  init: Callable[[jax.Array], Any]  # key -> variables
  forward: Callable  # (variables, patches, keys=None) -> Outputs
  layers: tuple[Layer, ...]  # of one column, without fc8
  softmax: nn.Module  # fc8
  num_columns: int
  patch: int
  side_weight: float = 0.0  # of the loss of each side classifier
  network: str = ''  # its name in config.model
  spec: Any = None  # the other fields of config.model
  divided: tuple[str, ...] = ()  # layers whose neurons are split over 'data'

  def apply(self, variables: Any, patches: jax.Array,
            keys: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
    """Returns (logits [B, classes], features [B, K*C]).

    Args:
      variables: as `init` returns them.
      patches: [B, patch, patch, 3] around zero.
      keys: [B] dropout keys, or None at test time.
    """
    return self.forward(variables, patches, keys)[:2]


def merge(params: Any, batch_stats: Any) -> Any:
  """Adds running averages to the parameters, if there are any."""
  return {**params, 'batch_stats': batch_stats} if batch_stats else params


def split(variables: Any) -> tuple[Any, Any]:
  """Splits variables into parameters, which are trained, and averages."""
  batch_stats = variables.get('batch_stats', {})
  if not batch_stats:
    return variables, {}
  return {name: part for name, part in variables.items()
          if name != 'batch_stats'}, batch_stats


def build(
    layers: Sequence[Layer],
    softmax: nn.Module,
    spec: ColumnSpec,
    mesh: Mesh,
    patch: int,
    side_weight: float = 0.0,
) -> Model:
  """Adds the softmax layer on top of the columns.

  fc8 is outside the columns and operates on global arrays, so that any number
  of classes works and fine-tuning replaces only its parameters. It always reads
  all columns.

  Args:
    layers: layers of one column, as `alexnet.py` lists them.
    softmax: the last fully connected layer.
    spec: the number of columns and the layers that read all of them.
    mesh: devices that run the columns.
    patch: side of the square input in pixels.
    side_weight: weight of the loss of each side classifier.

  Raises:
    InputError: a crossing is not a layer that can cross, or fc8 is missing
      from the crossings.
  """
  num_columns, crossings = spec.num_columns, spec.crossings
  names = [layer.name for layer in layers[1:]
           if not isinstance(layer.module, BatchNorm)] + ['fc8']
  unknown = [name for name in crossings if name not in names]
  if unknown or 'fc8' not in crossings:
    wrong = (f'{unknown[0]!r}, which cannot cross' if unknown
             else 'no fc8, where the columns must end in one softmax')
    raise InputError(f'config.model.crossings has {wrong}: choose from'
                     f' {", ".join(names)} and keep fc8.')

  def init(key):
    params, batch_stats = initial_variables(layers, key, num_columns, patch)
    *_, last = layer_shapes(layers, num_columns, patch)
    features = jnp.zeros((1, num_columns * last.outputs[-1]))
    fc8 = softmax.init(jax.random.fold_in(key, num_columns), features)
    return merge({'columns': params, 'fc8': fc8['params']},
                 {'columns': batch_stats} if batch_stats else {})

  return Model(init, forward_through(layers, softmax, mesh), tuple(layers),
               softmax, num_columns, patch, side_weight)


def forward_through(layers: Sequence[Layer], softmax: nn.Module,
                    mesh: Mesh) -> Callable:
  """Returns `Model.forward` of a network.

  Args:
    layers: layers of one column.
    softmax: the last fully connected layer.
    mesh: devices that run the columns.
  """
  run = columns.run(layers, mesh)

  def forward(variables, patches, keys=None):
    params, batch_stats = split(variables)
    features, side_logits, new_stats = run(  # B 4096
        params['columns'], batch_stats.get('columns', {}), patches, keys)
    with jax.named_scope('fc8'):
      logits: Any = softmax.apply({'params': params['fc8']}, features)
    return Outputs(logits, features, side_logits,
                   {'columns': new_stats} if new_stats else {})

  return forward


def first_kernels(model: Model, params: Any) -> jax.Array | None:
  """Returns the kernels of the first layer, [K, size, size, 3, kernels].

  Those that read gray images have three equal colors. None if the first layer
  is no convolution of an image.
  """
  layer = params['columns'][model.layers[0].name]
  for path, leaf in jax.tree_util.tree_leaves_with_path(layer):
    if path[-1].key == 'kernel' and leaf.ndim == 5:
      if leaf.shape[-2] == 3:
        return leaf
      if leaf.shape[-2] == 1:
        return jnp.repeat(leaf, 3, axis=-2)
  return None


def nonlinearity(name: str) -> Callable[[jax.Array], jax.Array]:
  """Returns the nonlinearity (3.1): 'relu', or another of NONLINEARITIES.

  Raises:
    InputError: the name is not known.
  """
  if name not in NONLINEARITIES:
    raise InputError(f'config.model.nonlinearity={name!r} is not known: give'
                     f' one of {", ".join(NONLINEARITIES)}.')
  return NONLINEARITIES[name]


def check_length(field: str, numbers: Sequence, length: int,
                 each: str = 'layer') -> None:
  """Checks that a field has one number for each layer.

  Args:
    field: name of the field of config.model.
    numbers: value of the field.
    length: the required length.
    each: what the numbers are of, if not layers.

  Raises:
    InputError: the field has another length.
  """
  if len(numbers) != length:
    raise InputError(f'config.model.{field} has {len(numbers)} numbers: give'
                     f' {length}, one for each {each} in the paper\'s order.')


def check_one_column(network: str, num_columns: int,
                     cure: str = 'give 1.') -> None:
  """Checks that a network that has no columns is given one.

  Args:
    network: its name in config.model.
    num_columns: value of config.model.num_columns.
    cure: the end of the message, which says what to give.

  Raises:
    InputError: there are several columns.
  """
  if num_columns != 1:
    raise InputError(
        f'config.model.num_columns={num_columns} does not suit the network'
        f' {network!r}, which is one column: {cure}')
