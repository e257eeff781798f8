"""The network of section 3, as the paper prints it (Figure 2)."""

import functools
from collections.abc import Sequence

from jax.sharding import Mesh

from alexnet_jax.network import classifier, parts
from alexnet_jax.network import layers as L

# 224 pixels give 55 positions 4 apart only if the last window may hang three
# pixels over the bottom and right edges, where the 2012 program read zeros.
HANGS_OVER = ((0, 3), (0, 3))


def build(
    mesh: Mesh,
    num_classes: int,
    patch: int,
    *,
    num_columns: int = 2,
    crossings: Sequence[str] = ('conv3', 'fc6', 'fc7', 'fc8'),
    kernels: Sequence[int] = (48, 128, 192, 192, 128),
    neurons: Sequence[int] = (2048, 2048),
    stddevs: Sequence[float] = (0.01,) * 8,
    biases: Sequence[float] = (0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0),
    nonlinearity: str = 'relu',
    response_norm: bool = True,
    norm_k: float = 2.0,
    norm_n: int = 5,
    norm_alpha: float = 1e-4,
    norm_beta: float = 0.75,
    overlapping_pooling: bool = True,
    dropout: bool = True,
    without: Sequence[str] = (),
    bottleneck: int = 0,
) -> classifier.Model:
  """One GPU's half of Figure 2, `num_columns` times.

  Args:
    mesh: where the columns run.
    num_classes: outputs of the softmax layer.
    patch: side of the square input in pixels; 224 in the paper.
    num_columns: K; 2 in the paper, 1 for the one-GPU net.
    crossings: the layers that read every column's maps.
    kernels: maps per column of conv1 to conv5; a sixth number adds conv6,
      over the last pooling (section 6).
    neurons: per column, of fc6 and fc7.
    stddevs: of the initial weights, conv1 to fc8.
    biases: initial, conv1 to fc8.
    nonlinearity: 'relu' (3.1) or 'tanh'.
    response_norm: section 3.3 after conv1 and conv2.
    norm_k: the constants of section 3.3.
    norm_n: likewise.
    norm_alpha: likewise, per squared term.
    norm_beta: likewise.
    overlapping_pooling: section 3.4; without it windows of 2 x 2 and less
      padding in conv2 and conv5, which keep the sizes (the program's #147).
    dropout: section 4.2 on fc6 and fc7.
    without: names of layers to leave out (section 7).
    bottleneck: linear units per column between fc7 and fc8 (#146-2011).
  """
  conv, full, softmax = parts.makers(
      crossings, kernels, neurons, stddevs, biases, num_classes)
  f = parts.nonlinearity(nonlinearity)
  norm = functools.partial(L.local_response_norm, k=norm_k, n=norm_n,
                           alpha=norm_alpha, beta=norm_beta)
  norm = (norm,) if response_norm else ()
  window, pad2, pad5 = (3, 2, 1) if overlapping_pooling else (2, 1, 0)
  pool = functools.partial(L.max_pool, size=window)
  sixth = len(kernels) == 6
  layers = (
      #                                                           224 224   3
      conv(1, 11, (f, *norm, pool), 4, HANGS_OVER),    #  55  55  48,  27  27
      conv(2, 5, (f, *norm, pool), 1, pad2),           #  27  27 128,  13  13
      conv(3, 3, (f,)),                                #  13  13 192
      conv(4, 3, (f,)),                                #  13  13 192
      conv(5, 3, (f, pool), 1, pad5),                  #  13  13 128,   6   6
      *((conv(6, 3, (f,)),) if sixth else ()),         #   6   6 128
      full(6, (f,), dropout),                          #         2048
      full(7, (f,), dropout),                          #         2048
      *parts.bottleneck(bottleneck, stddevs[-1]),      #         1024
  )
  return classifier.build(
      parts.leave_out(layers, without, pool), softmax, mesh,
      num_columns=num_columns, patch=patch, crossings=crossings)
