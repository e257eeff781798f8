"""The network of section 3, as the paper describes it (Figure 2)."""

import dataclasses
import functools

from jax.sharding import Mesh

from alexnet_jax.network import alexnet_layers, classifier
from alexnet_jax.network.classifier import Model
from alexnet_jax.network.partners import with_partners
from alexnet_jax.network.pooling import max_pool

# 224 pixels give 55 positions at stride 4 only if the last window may extend
# three pixels past the bottom and right edges, where the 2012 program read
# zeros.
CONV1_PADDING = ((0, 3), (0, 3))


@dataclasses.dataclass(frozen=True)
class Spec:
  """The fields of config.model. The defaults are one GPU's half of Figure 2."""

  num_columns: int = 2  # K; 1 for the one-GPU net
  # The layers that read every column's maps.
  crossings: tuple[str, ...] = ('conv3', 'fc6', 'fc7', 'fc8')
  # Of each column, the columns that it reads, itself among them, in the layers
  # that read no others: the program's networks on four GPUs.
  partners: tuple[tuple[int, ...], ...] = ()
  partner_layers: tuple[str, ...] = ()
  # Maps per column of conv1 to conv5; a sixth number adds conv6 after the last
  # pooling (section 6).
  kernels: tuple[int, ...] = (48, 128, 192, 192, 128)
  neurons: tuple[int, ...] = (2048, 2048)  # per column, of fc6 and fc7
  stddevs: tuple[float, ...] = (0.01,) * 8  # of initial weights, conv1 to fc8
  biases: tuple[float, ...] = (0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0)
  nonlinearity: str = 'relu'  # (3.1); of classifier.NONLINEARITIES
  response_norm: bool = True  # (3.3) after conv1 and conv2
  norm: str = 'response'  # or 'batch' normalization in its place
  norm_k: float = 2.0  # the constants of section 3.3
  norm_n: int = 5
  norm_alpha: float = 1e-4  # per squared term
  norm_beta: float = 0.75
  # Section 3.4. Without it, the windows are 2 x 2, and smaller padding in conv2
  # and conv5 keeps the map sizes unchanged (net #147 of the program).
  overlapping_pooling: bool = True
  dropout: bool = True  # (4.2) on fc6 and fc7
  without: tuple[str, ...] = ()  # layers to leave out (7)
  bottleneck: int = 0  # linear units per column between fc7 and fc8 (#146-2011)


def build(spec: Spec, mesh: Mesh, num_classes: int, patch: int) -> Model:
  """Builds the network of Figure 2.

  Args:
    spec: sizes and options of the network.
    mesh: devices that run the columns.
    num_classes: number of outputs of the softmax layer.
    patch: side of the square input in pixels; 224 in the paper.

  Raises:
    InputError: a field is inconsistent with the others.
  """
  conv, full, softmax = alexnet_layers.makers(spec, num_classes)
  f = classifier.nonlinearity(spec.nonlinearity)
  norm = alexnet_layers.response_norm(spec)
  window, pad2, pad5 = (3, 2, 1) if spec.overlapping_pooling else (2, 1, 0)
  pool = functools.partial(max_pool, size=window)
  sixth = len(spec.kernels) == 6
  layers = (
      #                                                           224 224   3
      conv(1, 11, (f, *norm, pool), 4, CONV1_PADDING),    #  55  55  48,  27  27
      conv(2, 5, (f, *norm, pool), 1, pad2),           #  27  27 128,  13  13
      conv(3, 3, (f,)),                                #  13  13 192
      conv(4, 3, (f,)),                                #  13  13 192
      conv(5, 3, (f, pool), 1, pad5),                  #  13  13 128,   6   6
      *((conv(6, 3, (f,)),) if sixth else ()),         #   6   6 128
      full(6, (f,)),                                   #         2048
      full(7, (f,)),                                   #         2048
      *alexnet_layers.bottleneck(spec),                #         1024
  )
  layers = alexnet_layers.separate_batch_norms(
      alexnet_layers.leave_out(layers, spec.without, pool))
  return classifier.build(
      with_partners(layers, spec), softmax, spec, mesh, patch)
