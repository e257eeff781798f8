"""What torchvision calls the modules of VGG, GoogLeNet and ResNet.

Our names are those of the layers, and within a block those of its parts:
'conv2_1/conv1' is the first convolution of the first block of ResNet.
"""

import itertools
from collections.abc import Callable, Sequence

# By our names; what is not here has the same name in both.
RESNET = {'conv1/conv': 'conv1', 'conv1/bn': 'bn1', 'fc8': 'fc'}
RESNET_PARTS = {'shortcut_conv': 'downsample.0', 'shortcut_bn': 'downsample.1'}
GOOGLENET = {'conv2_reduce': 'conv2', 'conv2': 'conv3', 'fc8': 'fc'}
GOOGLENET_PARTS = {
    'branch2_reduce': 'branch2.0', 'branch2_3x3': 'branch2.1',
    'branch3_reduce': 'branch3.0', 'branch3_5x5': 'branch3.1',
    'branch4_projection': 'branch4.1'}
VGG_FULL = {'fc6': 'classifier.0', 'fc7': 'classifier.3', 'fc8': 'classifier.6'}
SIDES = ('aux1', 'aux2')  # GoogLeNet's side classifiers


def module_names(network: str,
                 layers: Sequence[str]) -> Callable[[str], str]:
  """Returns a function from our name of a module to that in PyTorch.

  'conv2_1/conv1' becomes 'layer1.0.conv1' in a ResNet. A network that
  torchvision does not have keeps our names, with points: 'c1', 'norm1'.

  Args:
    network: the name in config.model.
    layers: names of its layers from bottom to top.
  """
  match network:
    case 'vgg':
      return _vgg(layers).__getitem__
    case 'googlenet':
      return _googlenet
    case 'resnet':
      return _resnet
  return lambda name: name.replace('/', '.')


def _vgg(layers):
  """A convolution and a ReLU are two of `features`, a pooling is one."""
  names, place = dict(VGG_FULL), 0
  convolutions = [layer for layer in layers if layer.startswith('conv')]
  for _, block in itertools.groupby(
      convolutions, lambda layer: layer.partition('_')[0]):
    for layer in block:
      names[layer] = f'features.{place}'
      place += 2
    place += 1
  return names


def _googlenet(name):
  layer, *parts = name.split('/')
  return '.'.join([GOOGLENET.get(layer, layer),
                   *(GOOGLENET_PARTS.get(part, part) for part in parts)])


def _resnet(name):
  if name in RESNET:
    return RESNET[name]
  layer, part = name.split('/')
  stage, block = layer.removeprefix('conv').split('_')
  return (f'layer{int(stage) - 1}.{int(block) - 1}'
          f'.{RESNET_PARTS.get(part, part)}')
