"""Loads into PyTorch a network that --task=export --format=torch has written.

This file needs torch, and safetensors for a .safetensors file; it can be copied
anywhere. Weights are read without unpickling code.

    net = alexnet_torch.load('torch_weights.safetensors')
    logits = net(net.preprocess(images))  # uint8 [B, 3, S, S]

The two columns of the 2012 network are the groups of its convolutions.
"""

import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F


def load(path: str) -> 'Network':
  """Returns the network in evaluation mode; `net.card` describes it."""
  if path.endswith('.safetensors'):
    from safetensors import safe_open
    with safe_open(path, 'pt') as file:
      card = json.loads(file.metadata()['card'])
      state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
  else:
    saved = torch.load(path, weights_only=True)
    card, state = json.loads(saved['card']), saved['state_dict']
  net = Network(card, state)
  net.load_state_dict(state)
  return net.eval()


class Network(nn.Module):
  """Float32 patches [B, 3, size, size], minus the mean image -> logits."""

  def __init__(self, card: Mapping[str, Any],
               state: Mapping[str, torch.Tensor]):
    super().__init__()
    self.card, self.class_names = card, card['class_names']
    self.register_buffer('mean', torch.zeros_like(state['mean']))
    for operation in card['operations']:
      if operation['name']:
        *above, last = operation['name'].split('.')
        parent = self
        for part in above:
          if not hasattr(parent, part):
            parent.add_module(part, nn.Module())
          parent = getattr(parent, part)
        parent.add_module(last, _layer(operation, state))
    self.kept = {place for operation in card['operations']
                 for place in operation.get('reads', ())}

  def preprocess(self, images: torch.Tensor) -> torch.Tensor:
    """Cuts out the central patch and subtracts the mean: uint8 [B, 3, S, S]."""
    size = self.mean.shape[-1]
    top, left = ((side - size) // 2 for side in images.shape[2:])
    patches = images[:, :, top:top + size, left:left + size]
    return patches.float() - self.mean

  def forward(self, x: torch.Tensor) -> torch.Tensor:
    outputs = {}  # that operations read which do not follow at once
    for place, operation in enumerate(self.card['operations']):
      x = self._apply_operation(x, outputs, **operation)
      if place in self.kept:
        outputs[place] = x
    return x

  def _apply_operation(self, x, outputs, kind, name, reads=(), **settings):
    inputs = [outputs[place] for place in reads] or [x]
    if kind == 'convolution':
      top, bottom, left, right = settings['padding']
      padded = F.pad(*inputs, (left, right, top, bottom))
      return self.get_submodule(name)(padded)
    if kind == 'full':
      layer = self.get_submodule(name)
      return (layer(*inputs) if isinstance(layer, nn.Linear)
              else layer(inputs[0][..., None]).flatten(1))
    if kind == 'batch_norm':
      return self.get_submodule(name)(*inputs)
    return OPERATIONS[kind](*inputs, **settings)


def _layer(operation, state):
  weight = state[f'{operation["name"]}.weight']
  if operation['kind'] == 'batch_norm':
    return nn.BatchNorm2d(len(weight), operation['epsilon'])
  outputs, inputs, *size = weight.shape
  groups = operation['groups']
  if operation['kind'] == 'convolution':
    return nn.Conv2d(inputs * groups, outputs, size, operation['stride'],
                     groups=groups, bias=f'{operation["name"]}.bias' in state)
  if groups == 1:
    return nn.Linear(inputs, outputs)
  return nn.Conv1d(inputs * groups, outputs, 1, groups=groups)


def _channel_norm(x, groups, k, n, alpha, beta):
  """Within each group of maps; PyTorch divides alpha by n."""
  apart = x.reshape(-1, x.shape[1] // groups, *x.shape[2:])
  return F.local_response_norm(apart, n, alpha * n, beta, k).reshape(x.shape)


def _map_norm(x, k, size, alpha, beta):
  """Over a window of the same map."""
  reach = (size // 2, size - 1 - size // 2)
  mean = F.avg_pool2d(F.pad(x * x, (*reach, *reach)), size, 1)
  return x / (k + alpha * size * size * mean) ** beta


def _max_pool(x, size, stride, overhang, before=0):
  """The first and the last windows may extend past the edge."""
  bottom, right = overhang
  padded = F.pad(x, (before, right, before, bottom), value=float('-inf'))
  return F.max_pool2d(padded, size, stride)


def _avg_pool(x, size, stride, overhang):
  """Over the units inside the map."""
  bottom, right = overhang
  ends = (0, right, 0, bottom)
  sums = F.avg_pool2d(F.pad(x, ends), size, stride)
  return sums / F.avg_pool2d(F.pad(torch.ones_like(x), ends), size, stride)


OPERATIONS = {
    'relu': F.relu, 'tanh': torch.tanh,
    'abs_tanh': lambda x: torch.tanh(x).abs(),
    'sigmoid': torch.sigmoid, 'log_sigmoid': F.logsigmoid,
    'leaky_relu': F.leaky_relu, 'elu': F.elu, 'celu': F.celu, 'selu': F.selu,
    'gelu': lambda x: F.gelu(x, approximate='tanh'), 'swish': F.silu,
    'softplus': F.softplus, 'soft_sign': F.softsign, 'relu6': F.relu6,
    'hard_tanh': F.hardtanh, 'hard_sigmoid': F.hardsigmoid,
    'hard_swish': F.hardswish,
    'flatten': lambda x: x.flatten(1),
    'crop': lambda x, height, width: x[:, :, :height, :width],
    'scale': lambda x, factor: x * factor,
    'divide': lambda x, by: x / x.new_tensor(by)[:, None, None],
    'gray': lambda x, scale: x.mean(1, keepdim=True) / scale,
    'subsample': lambda x, stride: x[:, :, ::stride, ::stride],
    'pad_maps': lambda x, count: F.pad(x, (0, 0, 0, 0, 0, count)),
    'average': lambda x: x.mean((2, 3)),
    'add': lambda x, y: x + y,
    'concatenate': lambda *branches: torch.cat(branches, 1),
    'channel_norm': _channel_norm, 'map_norm': _map_norm,
    'max_pool': _max_pool, 'avg_pool': _avg_pool,
}
