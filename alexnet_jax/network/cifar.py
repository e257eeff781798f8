"""The program's CIFAR-10 nets with three convolutions (cuda-convnet).

Not in the paper, whose four-layer net on the same data is `cifar_local.py`. The
program names them after their errors, 19pct and 18pct, and 80sec after its
training time; they differ in norms and in a hidden layer.

The program calls the softmax layer fc10, after its ten outputs. Here it is fc8
in every network, as in the paper: the layer above the columns.
"""

import functools
from collections.abc import Sequence

from jax.sharding import Mesh

from alexnet_jax.errors import InputError
from alexnet_jax.network import classifier, parts
from alexnet_jax.network import layers as L
from alexnet_jax.network.columns import Layer


def build(
    mesh: Mesh,
    num_classes: int,
    patch: int,
    *,
    num_columns: int = 1,
    crossings: Sequence[str] = ('fc8',),
    kernels: Sequence[int] = (32, 32, 64),
    neurons: Sequence[int] = (),
    stddevs: Sequence[float] = (0.0001, 0.01, 0.01, 0.01),
    biases: Sequence[float] = (0.0,) * 4,
    nonlinearity: str = 'relu',
    response_norm: bool = False,
    norm_size: int = 3,
    norm_alpha: float = 5e-5 / 9,
    norm_beta: float = 0.75,
) -> classifier.Model:
  """19pct; 18pct with `response_norm`; 80sec with `neurons` of (64,).

  Args:
    mesh: where it runs.
    num_classes: outputs of the softmax layer.
    patch: side of the square input in pixels; 32, or 24 when it is cropped.
    num_columns: 1 in the program.
    crossings: the layers that read every column's maps.
    kernels: maps per column of conv1 to conv3.
    neurons: of the hidden layer fc4; () leaves it out.
    stddevs: of the initial weights, conv1 to fc8.
    biases: initial, conv1 to fc8.
    nonlinearity: 'relu' or 'tanh'.
    response_norm: within each map, after the first two poolings.
    norm_size: side of its square window.
    norm_alpha: per squared term; the program divides 5e-5 by 3 x 3.
    norm_beta: its exponent; its constant is 1.

  Raises:
    InputError: a field of the wrong length.
  """
  check_length('kernels', kernels, 3)
  if len(neurons) > 1:
    raise InputError(f'config.model.neurons has {len(neurons)} numbers: give'
                     ' one, for fc4, or () for no hidden layer.')
  drawn = first_values(('conv1', 'conv2', 'conv3', *(('fc4',) * len(neurons)),
                        'fc8'), stddevs, biases)
  f = parts.nonlinearity(nonlinearity)
  norm = functools.partial(L.within_map_norm, size=norm_size,
                           alpha=norm_alpha, beta=norm_beta)
  norm = (norm,) if response_norm else ()

  def conv(number, then):
    name = f'conv{number}'
    module = L.conv(kernels[number - 1], 5, **drawn[name])
    return Layer(name, module, name in crossings, then)

  def full(neurons):
    module = L.full(neurons, **drawn['fc4'])
    return Layer('fc4', module, 'fc4' in crossings, (f,))

  layers = (
      #                                                     32 32  3   (24 24)
      conv(1, (f, L.max_pool, *norm)),       # 32 32 32,    16 16      (12 12)
      conv(2, (f, L.avg_pool, *norm)),       # 16 16 32,     8  8      ( 6  6)
      conv(3, (f, L.avg_pool, L.flat)),      #  8  8 64,     4  4      ( 3  3)
      *map(full, neurons),                   #       64
  )
  softmax = L.full(num_classes, **drawn['fc8'])
  return classifier.build(layers, softmax, mesh, num_columns=num_columns,
                          patch=patch, crossings=crossings)


def first_values(names: Sequence[str], stddevs: Sequence[float],
                 biases: Sequence[float]) -> dict[str, dict[str, float]]:
  """{layer: what its maker in `layers.py` wants to know of its first values}.

  Raises:
    InputError: not one number for each layer.
  """
  check_length('stddevs', stddevs, len(names))
  check_length('biases', biases, len(names))
  return {name: {'stddev': stddev, 'bias': bias} for name, stddev, bias in
          zip(names, stddevs, biases, strict=True)}


def check_length(field: str, given: Sequence, length: int) -> None:
  """Raises InputError for a field that has not `length` numbers."""
  if len(given) != length:
    raise InputError(f'config.model.{field} has {len(given)} numbers: give'
                     f' {length}, one for each such layer from below.')
