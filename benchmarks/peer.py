"""The network of Figure 2 in PyTorch: the opponent of the benchmark.

What a PyTorch user would write: grouped convolutions where columns keep to
themselves, `MaxPool2d`, `F.dropout`. Two forms of the response norm:
`nn.LocalResponseNorm`, and one with a gradient written by hand, several times
faster. It can take our parameters, and then puts out what our network does.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

COLUMNS = 2
NORM_K, NORM_N, NORM_ALPHA, NORM_BETA = 2.0, 5, 1e-4, 0.75  # section 3.3
STDDEV = 0.01  # section 5, as are the biases
BIASES = {'conv1': 0.0, 'conv2': 1.0, 'conv3': 0.0, 'conv4': 1.0, 'conv5': 1.0,
          'fc6': 1.0, 'fc7': 1.0, 'fc8': 0.0}


class TwoColumns(nn.Module):
  """Patches [B, 3, S, S], pixels around zero -> logits [B, classes].

  Args:
    kernels: maps per column of conv1 to conv5.
    neurons: per column, of fc6 and fc7.
    num_classes: outputs of fc8.
    patch: S, the side of the input in pixels.
    norm: 'own' is `nn.LocalResponseNorm`, 'hand' the one of this file.
  """

  def __init__(self, kernels: Sequence[int], neurons: Sequence[int],
               num_classes: int, patch: int, norm: str):
    super().__init__()
    maps = [COLUMNS * own for own in kernels]
    features = [COLUMNS * own for own in neurons]
    self.conv1 = nn.Conv2d(3, maps[0], 11, stride=4)
    self.conv2 = nn.Conv2d(maps[0], maps[1], 5, padding=2, groups=COLUMNS)
    self.conv3 = nn.Conv2d(maps[1], maps[2], 3, padding=1)
    self.conv4 = nn.Conv2d(maps[2], maps[3], 3, padding=1, groups=COLUMNS)
    self.conv5 = nn.Conv2d(maps[3], maps[4], 3, padding=1, groups=COLUMNS)
    # Windows are rounded up, as in our network; at 224 pixels none hangs over.
    self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
    self.norm = NORMS[norm]()
    with torch.no_grad():
      units = self._maps(torch.zeros(1, 3, patch, patch)).shape[1]
    self.fc6 = nn.Linear(units, features[0])
    self.fc7 = nn.Linear(features[0], features[1])
    self.fc8 = nn.Linear(features[1], num_classes)
    for name, bias in BIASES.items():
      layer = self.get_submodule(name)
      nn.init.normal_(layer.weight, std=STDDEV)
      nn.init.constant_(layer.bias, bias)

  def forward(self, x: torch.Tensor) -> torch.Tensor:
    """Dropout as `self.training` says."""
    x = self._maps(x)
    x = dropout(F.relu(self.fc6(x)), self.training)
    x = dropout(F.relu(self.fc7(x)), self.training)
    return self.fc8(x)

  def _maps(self, x):
    x = F.pad(x, (0, 3, 0, 3))  # the last windows hang over the edge
    x = self.pool(self.norm(F.relu(self.conv1(x))))
    x = self.pool(self.norm(F.relu(self.conv2(x))))
    x = F.relu(self.conv3(x))
    x = F.relu(self.conv4(x))
    x = self.pool(F.relu(self.conv5(x)))
    return x.flatten(1)


def dropout(x: torch.Tensor, training: bool) -> torch.Tensor:
  """The paper's form (4.2): no scaling in training, halves at test time."""
  return 0.5 * F.dropout(x, 0.5, training)


# --- Response normalization (3.3) ---------------------------------------------


class OwnNorm(nn.Module):
  """`nn.LocalResponseNorm` of each column by itself."""

  def __init__(self):
    super().__init__()
    # It divides alpha by the size of the window, which the paper does not.
    self.norm = nn.LocalResponseNorm(
        NORM_N, alpha=NORM_N * NORM_ALPHA, beta=NORM_BETA, k=NORM_K)

  def forward(self, x: torch.Tensor) -> torch.Tensor:
    """[B, K*C, H, W] -> the same, the faster way for its layout."""
    if x.is_contiguous():  # columns as if they were images: nothing is copied
      columns = x.unflatten(1, (COLUMNS, -1))
      return self.norm(columns.flatten(0, 1)).view(columns.shape).flatten(1, 2)
    return torch.cat([self.norm(own) for own in x.chunk(COLUMNS, 1)], 1)


class HandNorm(nn.Module):
  """The same with the gradient of `alexnet_jax/network/layers.py`."""

  def forward(self, x: torch.Tensor) -> torch.Tensor:
    """[B, K*C, H, W] -> the same."""
    return _Divide.apply(x)


NORMS: Mapping[str, Callable[[], nn.Module]] = {
    'own': OwnNorm, 'hand': HandNorm}


class _Divide(torch.autograd.Function):
  """x / (k + alpha * sum of squares) ** 0.75; keeps x and what is below."""

  @staticmethod
  def forward(ctx, x):
    own = x.unflatten(1, (COLUMNS, -1))
    d = _window_sum(own.square()).mul_(NORM_ALPHA).add_(NORM_K)
    ctx.save_for_backward(x, d)
    return (own * _power(d)).flatten(1, 2)

  @staticmethod
  def backward(ctx, g):
    x, d = ctx.saved_tensors
    own = x.unflatten(1, (COLUMNS, -1))
    scaled = _power(d).mul_(g.unflatten(1, (COLUMNS, -1)))
    disturbed = _window_sum((scaled * own).div_(d))
    return scaled.addcmul_(
        own, disturbed, value=-2 * NORM_ALPHA * NORM_BETA).flatten(1, 2)


def _window_sum(x):
  """Sums over five neighbors along axis 2: an odd window is its mirror."""
  total = x.clone()
  for shift in range(1, NORM_N // 2 + 1):
    total[:, :, shift:] += x[:, :, :-shift]
    total[:, :, :-shift] += x[:, :, shift:]
  return total


def _power(d):
  r = d.rsqrt()  # two roots are a tenth of a power
  return r.sqrt().mul_(r)


# --- Parameters and update ----------------------------------------------------


def from_ours(params: Mapping) -> dict[str, torch.Tensor]:
  """Our parameters, or gradients, as a `state_dict` of the peer.

  Args:
    params: numpy arrays, {'columns': {layer: {kernel, bias}}, 'fc8': {...}}.
      Only the paper's crossings will do: conv3, fc6, fc7, fc8.
  """
  columns = params['columns']
  units = columns['conv5']['bias'].size  # all columns' maps under fc6
  side = round((columns['fc6']['kernel'].shape[1] / units) ** 0.5)
  found = {}
  for name, held in columns.items():
    kernel = np.asarray(held['kernel'])
    if name.startswith('conv'):  # K H W reads maps -> K*maps reads H W
      kernel = kernel.transpose(0, 4, 3, 1, 2)
      kernel = kernel.reshape(-1, *kernel.shape[2:])
    else:  # K reads neurons -> K*neurons reads
      kernel = kernel.transpose(0, 2, 1).reshape(-1, kernel.shape[1])
    if name == 'fc6':  # it reads rows of (H, W, maps), the peer of (maps, H, W)
      kernel = kernel.reshape(-1, side, side, units).transpose(0, 3, 1, 2)
      kernel = kernel.reshape(len(kernel), -1)
    found[f'{name}.weight'] = kernel
    found[f'{name}.bias'] = np.asarray(held['bias']).reshape(-1)
  found['fc8.weight'] = np.asarray(params['fc8']['kernel']).T
  found['fc8.bias'] = np.asarray(params['fc8']['bias'])
  return {name: torch.from_numpy(value.copy())
          for name, value in found.items()}


def optimizer(net: nn.Module) -> torch.optim.Optimizer:
  """Section 5: momentum, and weight decay of the kernels.

  The rate stands outside of the velocity, which is the same as long as it does
  not change. `fused` is one pass over the parameters.
  """
  named = list(net.named_parameters())
  kernels = [value for name, value in named if name.endswith('weight')]
  biases = [value for name, value in named if name.endswith('bias')]
  return torch.optim.SGD(
      [{'params': kernels, 'weight_decay': 0.0005},
       {'params': biases, 'weight_decay': 0.0}],
      lr=0.01, momentum=0.9, fused=True)
