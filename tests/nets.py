"""Networks by their names and the fields that differ from the defaults."""

import jax.numpy as jnp

from alexnet_jax.network import models


def build(name, mesh, num_classes, patch, parallel='data',
          norm_and_pooling='xla', **fields):
  """The network `name` with other fields than its Spec's defaults."""
  spec = models.NETWORKS[name].Spec(**fields)
  return models.build(spec, mesh, num_classes, patch, parallel=parallel,
                      norm_and_pooling=norm_and_pooling)


def tree(kernel, bias, layer='conv1'):
  """Parameters of one layer in float32."""
  return {layer: {'kernel': jnp.float32(kernel), 'bias': jnp.float32(bias)}}
