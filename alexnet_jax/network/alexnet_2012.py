"""The network of the released 2012 program, net #145, which has its own order.

Against `alexnet.py`: layer 1 normalizes the signed responses and applies the
nonlinearity after pooling; layer 2 has a second norm, within each map; layer 5
applies the nonlinearity after pooling, which changes nothing.
"""

import functools
from collections.abc import Sequence

from jax.sharding import Mesh

from alexnet_jax.network import classifier, parts
from alexnet_jax.network import layers as L
from alexnet_jax.network.alexnet import HANGS_OVER


def build(
    mesh: Mesh,
    num_classes: int,
    patch: int,
    *,
    num_columns: int = 2,
    crossings: Sequence[str] = ('conv3', 'fc6', 'fc7', 'fc8'),
    kernels: Sequence[int] = (48, 128, 192, 192, 128),
    neurons: Sequence[int] = (2048, 2048),
    stddevs: Sequence[float] = (
        0.01, 0.01, 0.03, 0.03, 0.03, 0.01, 0.01, 0.01),
    biases: Sequence[float] = (0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0),
    nonlinearity: str = 'relu',
    response_norm: bool = True,
    norm_k: float = 2.0,
    norm_n: int = 5,
    norm_alpha: float = 2e-5,
    norm_beta: float = 0.75,
    within_map_size: int = 5,
    within_map_alpha: float = 4e-5,
    overlapping_pooling: bool = True,
    dropout: bool = True,
    without: Sequence[str] = (),
    bottleneck: int = 0,
) -> classifier.Model:
  """Net #145. Arguments as in `alexnet.build`, and of the second norm:

  Args:
    within_map_size: side of its square window.
    within_map_alpha: per squared term; 0 leaves the norm out.
  """
  conv, full, softmax = parts.makers(
      crossings, kernels, neurons, stddevs, biases, num_classes)
  f = parts.nonlinearity(nonlinearity)
  norm = functools.partial(L.local_response_norm, k=norm_k, n=norm_n,
                           alpha=norm_alpha, beta=norm_beta)
  second = functools.partial(L.within_map_norm, size=within_map_size,
                             alpha=within_map_alpha, beta=norm_beta)
  norm = (norm,) if response_norm else ()
  second = (second,) if response_norm and within_map_alpha else ()
  window, pad2, pad5 = (3, 2, 1) if overlapping_pooling else (2, 1, 0)
  pool = functools.partial(L.max_pool, size=window)
  sixth = len(kernels) == 6
  layers = (
      #                                                           224 224   3
      conv(1, 11, (*norm, pool, f), 4, HANGS_OVER),    #  55  55  48,  27  27
      conv(2, 5, (f, *norm, *second, pool), 1, pad2),  #  27  27 128,  13  13
      conv(3, 3, (f,)),                                #  13  13 192
      conv(4, 3, (f,)),                                #  13  13 192
      conv(5, 3, (pool, f), 1, pad5),                  #  13  13 128,   6   6
      *((conv(6, 3, (f,)),) if sixth else ()),         #   6   6 128
      full(6, (f,), dropout),                          #         2048
      full(7, (f,), dropout),                          #         2048
      *parts.bottleneck(bottleneck, stddevs[-1]),      #         1024
  )
  return classifier.build(
      parts.leave_out(layers, without, pool), softmax, mesh,
      num_columns=num_columns, patch=patch, crossings=crossings)
