"""A network as an ONNX file, for onnxruntime and the programs that read it.

The graph is built from `operations.py` with one standard node for each
operation: grouped Conv, LRN, MaxPool and Gemm. A converter of traced programs
would give hundreds of nodes that no runtime recognizes as these.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alexnet_jax import files
from alexnet_jax.errors import InputError
from alexnet_jax.export.operations import Operation

OPSET, IR_VERSION = 17, 8  # of 2022, so that older runtimes read the file too
LARGEST = 2**31 - 1  # bytes of one protocol buffer
REVERSE = -2**31  # the end of a slice that runs backward to the first element

# The node of each operation that has one without arrays and settings.
NODES: Mapping[str, tuple[str, Mapping[str, float]]] = {
    'relu': ('Relu', {}), 'tanh': ('Tanh', {}), 'sigmoid': ('Sigmoid', {}),
    'leaky_relu': ('LeakyRelu', {'alpha': 0.01}), 'elu': ('Elu', {}),
    'celu': ('Celu', {}), 'selu': ('Selu', {}), 'softplus': ('Softplus', {}),
    'soft_sign': ('Softsign', {}), 'hard_swish': ('HardSwish', {}),
    'hard_sigmoid': ('HardSigmoid', {'alpha': 1 / 6, 'beta': 0.5}),
    'add': ('Add', {})}


def save(path: str, chain: Sequence[Operation], crops: np.ndarray | None,
         mean: np.ndarray, card: str) -> None:
  """Atomically writes an .onnx file.

  Args:
    path: the file.
    chain: the network from patches to logits.
    crops: rows of `augment.test_crops`, for a network from uint8 images
      [batch, S, S, 3] to mean probabilities; None for one from float32 patches
      [batch, 3, size, size], with the mean subtracted, to logits.
    mean: the mean image [S, S, 3], cut to the size of a patch.
    card: what the metadata entry `card` says.

  Raises:
    InputError: the package onnx is not installed, or the file would be larger
      than the format allows.
  """
  onnx = _onnx()
  graph = _Graph(onnx.helper, onnx.numpy_helper)
  types, size = onnx.TensorProto, len(mean)
  value = onnx.helper.make_tensor_value_info
  if crops is None:
    inputs = value('patches', types.FLOAT, ['batch', 3, size, size])
    name, outputs = 'logits', graph.network('patches', chain)
  else:
    inputs = value('images', types.UINT8, ['batch', 'side', 'side', 3])
    patches = graph.patches('images', crops, size, mean, types.FLOAT)
    name, outputs = 'probabilities', graph.average(
        graph.network(patches, chain), len(crops))
  graph.nodes.append(onnx.helper.make_node('Identity', [outputs], [name]))
  made = onnx.helper.make_graph(
      graph.nodes, 'alexnet', [inputs],
      [value(name, types.FLOAT, ['batch', len(chain[-1].arrays['bias'])])],
      graph.initializers)
  if sum(array.nbytes for array in graph.constants) > LARGEST:
    raise InputError('an ONNX file holds at most two gigabytes, and these'
                     ' weights are more: give --format=safetensors.')
  model = onnx.helper.make_model(
      made, opset_imports=[onnx.helper.make_opsetid('', OPSET)],
      ir_version=IR_VERSION, producer_name='alexnet_jax')
  onnx.helper.set_model_props(model, {'card': card})
  onnx.checker.check_model(model)
  with files.atomic_write(path) as file:
    file.write(model.SerializeToString())


def _onnx():
  try:
    import onnx
    import onnx.checker
    import onnx.helper
    import onnx.numpy_helper
  except ImportError as error:
    raise InputError(
        'an .onnx file needs a package that is not installed: run pip install'
        ' onnx (the extra `onnx`), or give --format=stablehlo.') from error
  return onnx


class _Graph:
  """The nodes and constants of a graph; its methods return names of arrays."""

  def __init__(self, helper: Any, numpy_helper: Any):
    self.nodes: list[Any] = []
    self.initializers: list[Any] = []
    self.constants: list[np.ndarray] = []
    self._helper, self._numpy_helper = helper, numpy_helper
    self._numbers = itertools.count()

  def _node(self, kind, *inputs, **attributes) -> str:
    output = f'{kind.lower()}_{next(self._numbers)}'
    self.nodes.append(self._helper.make_node(
        kind, inputs, [output], name=output, **attributes))
    return output

  def _constant(self, array, name='') -> str:
    name = name or f'constant_{next(self._numbers)}'
    array = np.ascontiguousarray(array)
    self.constants.append(array)
    self.initializers.append(self._numpy_helper.from_array(array, name))
    return name

  def _number(self, number) -> str:
    return self._constant(np.float32(number))

  def patches(self, images: str, crops: np.ndarray, size: int,
              mean: np.ndarray, float_type: int) -> str:
    """Cuts the crops out of uint8 images, one crop after the other.

    Args:
      images: [batch, S, S, 3].
      crops: rows (y, x, flipped).
      size: side of a patch.
      mean: [size, size, 3].
      float_type: ONNX's number for float32.

    Returns:
      float32 [crops * batch, 3, size, size] with the mean subtracted.
    """
    cut = []
    for y, x, flipped in crops.tolist():
      patch = self._slice(images, [1, 2], [y, x], [y + size, x + size])
      if flipped:
        patch = self._slice(patch, [2], [-1], [REVERSE], [-1])
      cut.append(patch)
    joined = self._node('Concat', *cut, axis=0)
    centered = self._node('Sub', self._node('Cast', joined, to=float_type),
                          self._constant(mean.astype(np.float32), 'mean'))
    return self._node('Transpose', centered, perm=[0, 3, 1, 2])

  def _slice(self, x, axes, starts, ends, steps=None):
    steps = steps or [1] * len(axes)
    return self._node('Slice', x, *(
        self._constant(np.array(part, np.int64))
        for part in (starts, ends, axes, steps)))

  def average(self, logits: str, views: int) -> str:
    """Averages the softmax outputs of all crops of an image."""
    probabilities = self._node('Softmax', logits, axis=-1)
    if views == 1:
      return probabilities
    # [crops * batch, classes] -> [crops, batch, classes]
    shape = self._node(
        'Concat', self._constant(np.array([views, -1], np.int64)),
        self._slice(self._node('Shape', probabilities), [0], [1], [2]), axis=0)
    return self._node('ReduceMean', self._node('Reshape', probabilities, shape),
                      axes=[0], keepdims=0)

  def network(self, x: str, chain: Sequence[Operation]) -> str:
    """Adds all operations."""
    outputs = []
    for operation in chain:
      inputs = [outputs[place] for place in operation.reads] or [x]
      if operation.kind in NODES:
        node, attributes = NODES[operation.kind]
        x = self._node(node, *inputs, **attributes)
      else:
        x = getattr(self, f'_{operation.kind}')(
            *inputs, *(self._constant(array, f'{operation.name}.{kind}')
                       for kind, array in operation.arrays.items()),
            **operation.settings)
      outputs.append(x)
    return x

  def _divide(self, x, by):
    return self._node('Div', x, self._constant(
        np.array(by, np.float32).reshape(1, -1, 1, 1)))

  def _gray(self, x, scale):
    mean = self._node('ReduceMean', x, axes=[1], keepdims=1)
    return self._node('Div', mean, self._number(scale))

  def _convolution(self, x, weight, *bias, groups, stride, padding):
    top, bottom, left, right = padding
    return self._node('Conv', x, weight, *bias, group=groups, strides=stride,
                      pads=[top, left, bottom, right])

  def _batch_norm(self, x, *arrays, epsilon):
    return self._node('BatchNormalization', x, *arrays, epsilon=epsilon)

  def _subsample(self, x, stride):
    return self._slice(x, [2, 3], [0, 0], [LARGEST] * 2, [stride] * 2)

  def _pad_maps(self, x, count):
    ends = [0, 0, 0, 0, 0, count, 0, 0]
    return self._node('Pad', x, self._constant(np.array(ends, np.int64)))

  def _concatenate(self, *branches):
    return self._node('Concat', *branches, axis=1)

  def _average(self, x):
    return self._node('Flatten', self._node('GlobalAveragePool', x))

  def _full(self, x, weight, bias, groups):
    if groups == 1:
      return self._node('Gemm', x, weight, bias, transB=1)
    row = self._node('Unsqueeze', x, self._constant(np.array([2], np.int64)))
    outputs = self._node('Conv', row, weight, bias, group=groups)
    return self._node('Flatten', outputs)

  def _flatten(self, x):
    return self._node('Flatten', x)

  def _abs_tanh(self, x):
    return self._node('Abs', self._node('Tanh', x))

  def _log_sigmoid(self, x):
    return self._node('Neg', self._node('Softplus', self._node('Neg', x)))

  def _swish(self, x):
    return self._node('Mul', x, self._node('Sigmoid', x))

  def _gelu(self, x):
    """In Flax's form with tanh, here by sigmoid(2 y) = (1 + tanh(y)) / 2."""
    cube = self._node('Mul', self._node('Mul', x, x), x)
    y = self._node('Add', x, self._scale(cube, 0.044715))
    gate = self._node('Sigmoid', self._scale(y, 2 * math.sqrt(2 / math.pi)))
    return self._node('Mul', x, gate)

  def _relu6(self, x):
    return self._node('Clip', x, self._number(0), self._number(6))

  def _hard_tanh(self, x):
    return self._node('Clip', x, self._number(-1), self._number(1))

  def _scale(self, x, factor):
    return self._node('Mul', x, self._number(factor))

  def _crop(self, x, height, width):
    return self._slice(x, [2, 3], [0, 0], [height, width])

  def _max_pool(self, x, size, stride, overhang, before=0):
    return self._pool('MaxPool', x, size, stride, [before] * 2 + overhang)

  def _avg_pool(self, x, size, stride, overhang):
    return self._pool('AveragePool', x, size, stride, [0, 0, *overhang],
                      count_include_pad=0)

  def _pool(self, kind, x, size, stride, pads, **attributes):
    return self._node(kind, x, kernel_shape=[size] * 2, strides=[stride] * 2,
                      pads=pads, **attributes)

  def _channel_norm(self, x, k, n, alpha, beta, groups):
    apart = self._group_rows(x, groups)
    if n % 2:  # LRN divides alpha by the size of the window
      normed = self._node('LRN', apart, size=n, alpha=alpha * n, beta=beta,
                          bias=k)
    else:  # onnxruntime refuses even windows
      axis = self._constant(np.array([1], np.int64))
      squares = self._node('Unsqueeze', self._node('Mul', apart, apart), axis)
      mean = self._node(
          'AveragePool', squares, kernel_shape=[n, 1, 1], count_include_pad=1,
          pads=[n // 2, 0, 0, n - 1 - n // 2, 0, 0])
      normed = self._normalized(apart, self._node('Squeeze', mean, axis),
                                k, alpha * n, beta)
    return self._group_rows(normed, groups, back=True)

  def _group_rows(self, x, groups, back=False):
    """[B, groups * maps, H, W] -> [B * groups, maps, H, W], or back."""
    if groups == 1:
      return x
    shape = self._node('Shape', x)
    maps = self._slice(shape, [0], [1], [2])
    factor = self._constant(np.array([groups], np.int64))
    return self._node('Reshape', x, self._node(
        'Concat', self._constant(np.array([-1], np.int64)),
        self._node('Mul' if back else 'Div', maps, factor),
        self._slice(shape, [0], [2], [4]), axis=0))

  def _map_norm(self, x, k, size, alpha, beta):
    below, above = size // 2, size - 1 - size // 2
    mean = self._pool('AveragePool', self._node('Mul', x, x), size, 1,
                      [below, below, above, above], count_include_pad=1)
    return self._normalized(x, mean, k, alpha * size * size, beta)

  def _normalized(self, x, mean_of_squares, k, alpha, beta):
    """X / (k + alpha * mean) ** beta."""
    divisor = self._node(
        'Add', self._node('Mul', mean_of_squares, self._number(alpha)),
        self._number(k))
    return self._node('Div', x, self._node('Pow', divisor, self._number(beta)))

