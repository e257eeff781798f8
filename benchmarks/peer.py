"""The network of Figure 2 in PyTorch, for comparison in the benchmark.

It is what a PyTorch user would write: grouped convolutions where columns do not
cross, `MaxPool2d` and `F.dropout`. The response norm has two forms:
`nn.LocalResponseNorm`, and one with a hand-written gradient, which is several
times faster. With our parameters, it has the same outputs as our network.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

COLUMNS = 2
NORM_K, NORM_N, NORM_ALPHA, NORM_BETA = 2.0, 5, 1e-4, 0.75  # Section 3.3.
STDDEV = 0.01  # Section 5, as are the biases.
BIASES = {'conv1': 0.0, 'conv2': 1.0, 'conv3': 0.0, 'conv4': 1.0, 'conv5': 1.0,
          'fc6': 1.0, 'fc7': 1.0, 'fc8': 0.0}


class TwoColumns(nn.Module):
  """Maps mean-free patches [B, 3, S, S] to logits [B, classes].

  Args:
    kernels: maps per column of conv1 to conv5.
    neurons: per column, of fc6 and fc7.
    num_classes: outputs of fc8.
    patch: S, the side of the input in pixels.
    norm: 'own' is `nn.LocalResponseNorm`, 'hand' is `HandNorm`.
  """

  def __init__(self, kernels: Sequence[int], neurons: Sequence[int],
               num_classes: int, patch: int, norm: str):
    super().__init__()
    maps = [COLUMNS * column for column in kernels]
    features = [COLUMNS * column for column in neurons]
    self.conv1 = nn.Conv2d(3, maps[0], 11, stride=4)
    self.conv2 = nn.Conv2d(maps[0], maps[1], 5, padding=2, groups=COLUMNS)
    self.conv3 = nn.Conv2d(maps[1], maps[2], 3, padding=1)
    self.conv4 = nn.Conv2d(maps[2], maps[3], 3, padding=1, groups=COLUMNS)
    self.conv5 = nn.Conv2d(maps[3], maps[4], 3, padding=1, groups=COLUMNS)
    # The number of windows is rounded up, as in our network; at 224 pixels no
    # window extends over the edge.
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
    """Computes the logits, with dropout according to `self.training`."""
    x = self._maps(x)
    x = dropout(F.relu(self.fc6(x)), self.training)
    x = dropout(F.relu(self.fc7(x)), self.training)
    return self.fc8(x)

  def _maps(self, x):
    x = F.pad(x, (0, 3, 0, 3))  # The last windows extend over the edge.
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
  """`nn.LocalResponseNorm` of each column separately."""

  def __init__(self):
    super().__init__()
    # PyTorch divides alpha by the window size; the paper does not.
    self.norm = nn.LocalResponseNorm(
        NORM_N, alpha=NORM_N * NORM_ALPHA, beta=NORM_BETA, k=NORM_K)

  def forward(self, x: torch.Tensor) -> torch.Tensor:
    """Normalizes [B, K*C, H, W] in the faster way for its layout."""
    if x.is_contiguous():  # Columns as images: no copy.
      columns = x.unflatten(1, (COLUMNS, -1))
      return self.norm(columns.flatten(0, 1)).view(columns.shape).flatten(1, 2)
    return torch.cat([self.norm(column) for column in x.chunk(COLUMNS, 1)], 1)


class HandNorm(nn.Module):
  """The same with the gradient of `alexnet_jax/network/pooling.py`."""

  def forward(self, x: torch.Tensor) -> torch.Tensor:
    """Normalizes [B, K*C, H, W]."""
    return _Divide.apply(x)


NORMS: Mapping[str, Callable[[], nn.Module]] = {
    'own': OwnNorm, 'hand': HandNorm}


class _Divide(torch.autograd.Function):
  """x / (k + alpha * sum of squares) ** 0.75; saves x and the base."""

  @staticmethod
  def forward(ctx, x):
    column = x.unflatten(1, (COLUMNS, -1))
    d = _window_sum(column.square()).mul_(NORM_ALPHA).add_(NORM_K)
    ctx.save_for_backward(x, d)
    return (column * _power(d)).flatten(1, 2)

  @staticmethod
  def backward(ctx, g):
    x, d = ctx.saved_tensors
    column = x.unflatten(1, (COLUMNS, -1))
    scaled = _power(d).mul_(g.unflatten(1, (COLUMNS, -1)))
    disturbed = _window_sum((scaled * column).div_(d))
    return scaled.addcmul_(
        column, disturbed, value=-2 * NORM_ALPHA * NORM_BETA).flatten(1, 2)


def _window_sum(x):
  """Sums over five neighbors along axis 2; the window is symmetric."""
  total = x.clone()
  for shift in range(1, NORM_N // 2 + 1):
    total[:, :, shift:] += x[:, :, :-shift]
    total[:, :, :-shift] += x[:, :, shift:]
  return total


def _power(d):
  r = d.rsqrt()  # Two roots take a tenth of the time of a power.
  return r.sqrt().mul_(r)


# --- Parameters and update ----------------------------------------------------


def from_ours(params: Mapping) -> dict[str, torch.Tensor]:
  """Converts our parameters, or gradients, to a `state_dict` of the peer.

  Args:
    params: numpy arrays, {'columns': {layer: {kernel, bias}}, 'fc8': {...}}.
      The crossings must be those of the paper: conv3, fc6, fc7, fc8.
  """
  columns = params['columns']
  units = columns['conv5']['bias'].size  # Maps of all columns below fc6.
  side = round((columns['fc6']['kernel'].shape[1] / units) ** 0.5)
  state = {}
  for name, layer_params in columns.items():
    kernel = np.asarray(layer_params['kernel'])
    if name.startswith('conv'):  # K H W reads maps -> K*maps reads H W
      kernel = kernel.transpose(0, 4, 3, 1, 2)
      kernel = kernel.reshape(-1, *kernel.shape[2:])
    else:  # K reads neurons -> K*neurons reads
      kernel = kernel.transpose(0, 2, 1).reshape(-1, kernel.shape[1])
    if name == 'fc6':  # Ours reads (H, W, maps), the peer (maps, H, W).
      kernel = kernel.reshape(-1, side, side, units).transpose(0, 3, 1, 2)
      kernel = kernel.reshape(len(kernel), -1)
    state[f'{name}.weight'] = kernel
    state[f'{name}.bias'] = np.asarray(layer_params['bias']).reshape(-1)
  state['fc8.weight'] = np.asarray(params['fc8']['kernel']).T
  state['fc8.bias'] = np.asarray(params['fc8']['bias'])
  return {name: torch.from_numpy(value.copy())
          for name, value in state.items()}


def optimizer(net: nn.Module) -> torch.optim.Optimizer:
  """Returns the optimizer of section 5: momentum, and weight decay of kernels.

  The learning rate is outside of the velocity, which is equivalent as long as
  the rate is constant. `fused` makes one pass over the parameters.
  """
  named = list(net.named_parameters())
  kernels = [value for name, value in named if name.endswith('weight')]
  biases = [value for name, value in named if name.endswith('bias')]
  return torch.optim.SGD(
      [{'params': kernels, 'weight_decay': 0.0005},
       {'params': biases, 'weight_decay': 0.0}],
      lr=0.01, momentum=0.9, fused=True)
