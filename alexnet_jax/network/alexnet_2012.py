"""Net #145 of the released 2012 program, whose operations differ in order.

The differences from `alexnet.py` are: layer 1 normalizes the signed responses
and applies the nonlinearity after pooling; layer 2 has a second norm, within
each map; layer 5 applies the nonlinearity after pooling, which does not change
the result.
"""

import dataclasses
import functools

from jax.sharding import Mesh

from alexnet_jax.network import alexnet, alexnet_layers, classifier
from alexnet_jax.network.alexnet import CONV1_PADDING
from alexnet_jax.network.classifier import Model
from alexnet_jax.network.partners import with_partners
from alexnet_jax.network.pooling import max_pool
from alexnet_jax.network.response_norm import within_map_norm


@dataclasses.dataclass(frozen=True)
class Spec(alexnet.Spec):
  """Net #145: the fields of `alexnet.Spec` and those of the second norm."""

  stddevs: tuple[float, ...] = (
      0.01, 0.01, 0.03, 0.03, 0.03, 0.01, 0.01, 0.01)
  norm_alpha: float = 2e-5
  within_map_size: int = 5  # side of the square window
  within_map_alpha: float = 4e-5  # per squared term; 0 leaves the norm out


def build(spec: Spec, mesh: Mesh, num_classes: int, patch: int) -> Model:
  """Builds net #145.

  Args:
    spec: sizes and options of the network.
    mesh: devices that run the columns.
    num_classes: number of outputs of the softmax layer.
    patch: side of the square input in pixels; 224 in the program.

  Raises:
    InputError: a field is inconsistent with the others.
  """
  conv, full, softmax = alexnet_layers.makers(spec, num_classes)
  f = classifier.nonlinearity(spec.nonlinearity)
  norm = alexnet_layers.response_norm(spec)
  second = functools.partial(within_map_norm, size=spec.within_map_size,
                             alpha=spec.within_map_alpha,
                             beta=spec.norm_beta)
  second = (
      (second,) if spec.response_norm and spec.norm == 'response'
      and spec.within_map_alpha else ())
  window, pad2, pad5 = (3, 2, 1) if spec.overlapping_pooling else (2, 1, 0)
  pool = functools.partial(max_pool, size=window)
  sixth = len(spec.kernels) == 6
  layers = (
      #                                                           224 224   3
      conv(1, 11, (*norm, pool, f), 4, CONV1_PADDING),    #  55  55  48,  27  27
      conv(2, 5, (f, *norm, *second, pool), 1, pad2),  #  27  27 128,  13  13
      conv(3, 3, (f,)),                                #  13  13 192
      conv(4, 3, (f,)),                                #  13  13 192
      conv(5, 3, (pool, f), 1, pad5),                  #  13  13 128,   6   6
      *((conv(6, 3, (f,)),) if sixth else ()),         #   6   6 128
      full(6, (f,)),                                   #         2048
      full(7, (f,)),                                   #         2048
      *alexnet_layers.bottleneck(spec),                #         1024
  )
  layers = alexnet_layers.separate_batch_norms(
      alexnet_layers.leave_out(layers, spec.without, pool))
  return classifier.build(
      with_partners(layers, spec), softmax, spec, mesh, patch)
