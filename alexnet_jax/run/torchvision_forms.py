"""Which of VGG, GoogLeNet and ResNet are also torchvision's, and which alike.

A state dict fits by its shapes alone. Its outputs are the same only if fields
of config.model that change no shape are those of torchvision's network.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from alexnet_jax.network.classifier import Model

STDDEVS = (58.395, 57.12, 57.375)  # 255 times 0.229, 0.224, 0.225
# Those fields, and torchvision's values.
FORMS: Mapping[str, Mapping[str, Any]] = {
    'vgg': {'inverted_dropout': True, 'pixel_stddevs': STDDEVS},
    # The published weights of GoogLeNet were trained on pixels of -1 to 1.
    'googlenet': {
        'norm': 'batch', 'norm_epsilon': 1e-3, 'large_kernel': 3,
        'last_pooling': 2, 'pixel_stddevs': (127.5,) * 3},
    'resnet': {
        'shortcut': 'B', 'small_images': False, 'stride_in_3x3': True,
        'centered_pooling': True, 'norm_epsilon': 1e-5,
        'pixel_stddevs': STDDEVS}}
# torchvision's networks by these fields.
SIZES = {'vgg': ('kernels', 'convolutions', 'neurons'),
         'googlenet': ('width',),
         'resnet': ('kernels', 'blocks', 'bottlenecks')}
RESNET, VGG, FULL = (64, 128, 256, 512), (64, 128, 256, 512, 512), (4096, 4096)
NAMES: Mapping[str, Mapping[tuple, str]] = {
    'vgg': {
        (VGG, (1, 1, 2, 2, 2), FULL): 'vgg11',
        (VGG, (2, 2, 2, 2, 2), FULL): 'vgg13',
        (VGG, (2, 2, 3, 3, 3), FULL): 'vgg16',
        (VGG, (2, 2, 4, 4, 4), FULL): 'vgg19'},
    'googlenet': {(1.0,): 'googlenet'},
    'resnet': {
        (RESNET, (2, 2, 2, 2), False): 'resnet18',
        (RESNET, (3, 4, 6, 3), False): 'resnet34',
        (RESNET, (3, 4, 6, 3), True): 'resnet50',
        (RESNET, (3, 4, 23, 3), True): 'resnet101',
        (RESNET, (3, 8, 36, 3), True): 'resnet152'}}


def differences(model: Model) -> Sequence[str]:
  """Returns where config.model is not torchvision's: 'shortcut=A', ..."""
  spec = model.spec
  without_effect = ('' if getattr(spec, 'bottlenecks', True)
                    else 'stride_in_3x3')
  return [f'{field}={getattr(spec, field)}'
          for field, value in FORMS.get(model.network, {}).items()
          if field != without_effect and getattr(spec, field) != value]


def name(model: Model) -> str:
  """Returns the function of torchvision.models that builds a network, or ''.

  Pixels may differ: these are a matter of what goes into that network.
  """
  if model.network not in FORMS or model.num_columns != 1 or any(
      not one.startswith('pixel_stddevs=') for one in differences(model)):
    return ''
  sizes = tuple(getattr(model.spec, field) for field in SIZES[model.network])
  return NAMES[model.network].get(sizes, '')
