"""A network as a PyTorch state dict, with the module that loads it beside it.

The state dict is a .safetensors file, or a .pt file where torch is installed.
`torch_module.py` is copied beside it under the name `alexnet_torch.py`.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alexnet_jax import files
from alexnet_jax.errors import InputError
from alexnet_jax.export.operations import Operation
from alexnet_jax.run import weights

MODULE = 'alexnet_torch.py'  # the name of the copy
FORMATS = ('.safetensors', '.pt')


def state_dict(chain: Sequence[Operation],
               mean: np.ndarray) -> dict[str, np.ndarray]:
  """Returns {'conv1.weight': ..., 'conv1.bias': ..., ..., 'mean': ...}.

  Args:
    chain: the network from patches to logits.
    mean: the mean image [size, size, 3] of a patch; stored as [3, size, size].
  """
  arrays = {f'{operation.name}.{kind}': np.ascontiguousarray(array)
            for operation in chain for kind, array in operation.arrays.items()}
  return {**arrays, 'mean': np.ascontiguousarray(
      mean.transpose(2, 0, 1), np.float32)}


def settings(chain: Sequence[Operation]) -> list[dict[str, Any]]:
  """Returns the operations without their arrays, as JSON takes them."""
  return [{'kind': one.kind, 'name': one.name, **one.settings,
           **({'reads': one.reads} if one.reads else {})} for one in chain]


def save(path: str, chain: Sequence[Operation], mean: np.ndarray,
         card: Mapping[str, Any]) -> str:
  """Atomically writes the state dict, and the module beside it.

  Args:
    path: a file with an ending of FORMATS.
    chain: the network from patches to logits.
    mean: the mean image [size, size, 3] of a patch.
    card: the description of the network.

  Returns:
    The path of the module.

  Raises:
    InputError: a package is not installed.
  """
  arrays = state_dict(chain, mean)
  text = json.dumps({**card, 'operations': settings(chain)})
  if path.endswith('.pt'):
    torch = _torch()
    tensors = {name: torch.tensor(array) for name, array in arrays.items()}
    with files.atomic_write(path) as file:
      torch.save({'state_dict': tensors, 'card': text}, file)
  else:
    data = weights.import_safetensors().save(arrays, {'card': text})
    with files.atomic_write(path) as file:
      file.write(data)
  module = os.path.join(os.path.dirname(path), MODULE)
  source = os.path.join(os.path.dirname(__file__), 'torch_module.py')
  with open(source, 'rb') as text_file, files.atomic_write(module) as file:
    shutil.copyfileobj(text_file, file)
  return module


def _torch():
  try:
    import torch
  except ImportError as error:
    raise InputError(
        'a .pt file needs a package that is not installed: run pip install'
        ' torch (the extra `torch`), or give an --out that ends in .safetensors'
        ', which PyTorch reads too.') from error
  return torch
