"""The layers whose ReLU, norm and pooling are one kernel on NVIDIA GPUs."""

from flax import linen as nn
from jax.sharding import Mesh

from alexnet_jax.errors import InputError
from alexnet_jax.network import classifier, norm_and_pool, on_nvidia
from alexnet_jax.network.classifier import Model
from alexnet_jax.network.columns import Layer

# config.mesh.norm_and_pooling: `local_response_norm` and `max_pool`, which XLA
# compiles, or the kernels of `on_nvidia.py`.
FORMS = ('xla', 'triton')


def check_devices(mesh: Mesh) -> None:
  """Checks that the devices run the kernels.

  Raises:
    InputError: they are no GPUs.
  """
  platform = mesh.devices.flat[0].platform
  if platform not in ('gpu', 'cuda'):
    raise InputError(
        "config.mesh.norm_and_pooling='triton' needs NVIDIA GPUs, and this runs"
        f" on a {platform}: leave it at 'xla'.")


def fuse(model: Model, mesh: Mesh) -> Model:
  """Returns the same network with a kernel for ReLU, norm and pooling.

  Args:
    model: a network.
    mesh: the GPUs that run it.

  Raises:
    InputError: no layer has the three.
  """
  layers = tuple(map(_fused, model.layers))
  if layers == model.layers:
    raise InputError(
        "config.mesh.norm_and_pooling='triton' is for a ReLU, a response norm"
        ' and max-pooling in this order, which no layer of this network has:'
        " leave it at 'xla'.")
  return model._replace(layers=layers, forward=classifier.forward_through(
      layers, model.softmax, mesh))


def _fused(layer: Layer) -> Layer:
  """Returns the layer with a kernel for its first three operations."""
  if len(layer.post_ops) < 3 or layer.post_ops[0] is not nn.relu:
    return layer
  arguments = norm_and_pool.arguments_of_both(*layer.post_ops[1:3])
  if not arguments or arguments['size'] > on_nvidia.LARGEST_WINDOW:
    return layer
  op = on_nvidia.RectifyNormPool(**arguments)
  return layer._replace(post_ops=layer.post_ops[3:], fused=op.of_columns)
