"""The four-layer CIFAR-10 net of section 3.3: 13 % error, 11 % with the norm.

The paper's footnote 3 names the program, whose nets conv-local-13pct and
conv-local-11pct these are: two convolutions, then two layers whose positions
share no weights. The softmax layer is called fc8 here, see `cifar.py`.
"""

import functools
from collections.abc import Sequence

from jax.sharding import Mesh

from alexnet_jax.network import classifier, parts
from alexnet_jax.network import layers as L
from alexnet_jax.network.cifar import check_length, first_values
from alexnet_jax.network.columns import Layer


def build(
    mesh: Mesh,
    num_classes: int,
    patch: int,
    *,
    num_columns: int = 1,
    crossings: Sequence[str] = ('fc8',),
    kernels: Sequence[int] = (64, 64),
    local_kernels: Sequence[int] = (64, 32),
    stddevs: Sequence[float] = (0.0001, 0.01, 0.04, 0.04, 0.01),
    biases: Sequence[float] = (0.0,) * 5,
    nonlinearity: str = 'relu',
    response_norm: bool = True,
    norm_k: float = 1.0,
    norm_n: int = 9,
    norm_alpha: float = 0.001 / 9,
    norm_beta: float = 0.75,
) -> classifier.Model:
  """conv-local-11pct; without norm and with 32 local maps conv-local-13pct.

  Args:
    mesh: where it runs.
    num_classes: outputs of the softmax layer.
    patch: side of the square input in pixels; 24, cut out of 32.
    num_columns: 1 in the program.
    crossings: the layers that read every column's maps.
    kernels: maps per column of conv1 and conv2.
    local_kernels: maps per column of local3 and local4.
    stddevs: of the initial weights, conv1 to fc8.
    biases: initial, conv1 to fc8.
    nonlinearity: 'relu' or 'tanh'.
    response_norm: section 3.3, after the first pooling and before the second.
    norm_k: its constants, which are not those of the paper's large net.
    norm_n: likewise.
    norm_alpha: likewise, per squared term; the program divides 0.001 by 9.
    norm_beta: likewise.

  Raises:
    InputError: a field of the wrong length.
  """
  check_length('kernels', kernels, 2)
  check_length('local_kernels', local_kernels, 2)
  drawn = first_values(('conv1', 'conv2', 'local3', 'local4', 'fc8'), stddevs,
                       biases)
  f = parts.nonlinearity(nonlinearity)
  norm = functools.partial(L.local_response_norm, k=norm_k, n=norm_n,
                           alpha=norm_alpha, beta=norm_beta)
  norm = (norm,) if response_norm else ()

  def conv(number, then):
    name = f'conv{number}'
    module = L.conv(kernels[number - 1], 5, **drawn[name])
    return Layer(name, module, name in crossings, then)

  def local(number, then):
    name = f'local{number}'
    module = L.local(local_kernels[number - 3], 3, **drawn[name])
    return Layer(name, module, name in crossings, then)

  pool = L.max_pool
  layers = (
      #                                             24 24  3   (32 32)
      conv(1, (f, pool, *norm)),     # 24 24 64,    12 12      (16 16)
      conv(2, (f, *norm, pool)),     # 12 12 64,     6  6      ( 8  8)
      local(3, (f,)),                #  6  6 64
      local(4, (f, L.flat)),         #  6  6 32
  )
  softmax = L.full(num_classes, **drawn['fc8'])
  return classifier.build(layers, softmax, mesh, num_columns=num_columns,
                          patch=patch, crossings=crossings)
