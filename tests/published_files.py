"""Weights as other programs write them, and those programs' networks in NumPy.

The networks are written from the definitions of torchvision and Caffe, in
float64 and without any of the package's code.
"""

import numpy as np

KERNELS, NEURONS, CLASSES = (4, 6, 8, 6, 8), (10, 12), 7
SIZES = (11, 5, 3, 3, 3)
LAYERS = ('conv1', 'conv2', 'conv3', 'conv4', 'conv5', 'fc6', 'fc7', 'fc8')
TORCHVISION = ('features.0', 'features.3', 'features.6', 'features.8',
               'features.10', 'classifier.1', 'classifier.4', 'classifier.6')
NARROW = {'model.kernels': KERNELS, 'model.neurons': NEURONS}


def random_arrays(groups, side=6, classes=CLASSES, seed=0):
  """{layer: (kernel, bias)}: [maps, inputs, h, w] and [outputs, inputs]."""
  draw = np.random.default_rng(seed)
  arrays, inputs = {}, 3
  for name, maps, size, count in zip(LAYERS, KERNELS, SIZES, groups,
                                     strict=False):
    arrays[name] = (maps, inputs // count, size, size)
    inputs = maps
  inputs *= side * side
  for name, outputs in zip(LAYERS[5:], (*NEURONS, classes), strict=True):
    arrays[name] = (outputs, inputs)
    inputs = outputs
  return {name: (draw.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape).astype(
      np.float32), draw.normal(0, 0.1, shape[0]).astype(np.float32))
          for name, shape in arrays.items()}


# --- The networks -------------------------------------------------------------


def conv(x, kernel, bias, stride, padding, groups):
  """Cross-correlation of [C, H, W]; padding is (before, after)."""
  x = np.pad(x, ((0, 0), padding, padding))
  size, maps = kernel.shape[-1], len(kernel)
  windows = np.lib.stride_tricks.sliding_window_view(
      x, (size, size), (1, 2))[:, ::stride, ::stride]
  out = [np.einsum('cyxhw,mchw->myx', windows[g * (len(x) // groups):][
      :len(x) // groups], kernel[g * (maps // groups):][:maps // groups])
         for g in range(groups)]
  return np.concatenate(out) + bias[:, None, None]


def pool(x, ceil):
  """The maximum of 3 x 3 units, every 2; `ceil` keeps partial windows."""
  windows = lambda side: (-(-(side - 3) // 2) if ceil else (side - 3) // 2) + 1
  rows, across = (windows(side) for side in x.shape[1:])
  return np.stack([np.stack([
      x[:, 2 * i:2 * i + 3, 2 * j:2 * j + 3].max((1, 2))
      for j in range(across)], -1) for i in range(rows)], -2)


def lrn(x, k, n, alpha, groups):
  """b = a / (k + alpha * sum of n squares) ** 0.75, within groups of maps."""
  out = np.empty_like(x)
  for group, result in zip(np.split(x, groups), np.split(out, groups),
                           strict=True):
    for i, a in enumerate(group):
      near = group[max(0, i - n // 2):i + n // 2 + 1]
      result[i] = a / (k + alpha * (near ** 2).sum(0)) ** 0.75
  return out


def forward(arrays, x, *, stride_padding, groups, ceil, norm=None,
            norm_after_pooling=False, halve=False):
  """Logits and features of one image [3, H, W]; `norm` are those of `lrn`."""
  relu = lambda x: np.maximum(x, 0)
  wide = {name: tuple(leaf.astype(np.float64) for leaf in leaves)
          for name, leaves in arrays.items()}
  settings = ((4, stride_padding), (1, (2, 2)), *[(1, (1, 1))] * 3)
  for name, (stride, padding), count in zip(LAYERS, settings, groups,
                                            strict=False):
    x = relu(conv(x, *wide[name], stride, padding, count))
    if name in ('conv1', 'conv2'):
      steps = [lambda x: lrn(x, *norm)] if norm else []
      steps.insert(0 if norm_after_pooling else len(steps),
                   lambda x: pool(x, ceil))
      for step in steps:
        x = step(x)
  x = pool(x, ceil).reshape(-1)
  for name in ('fc6', 'fc7'):
    kernel, bias = wide[name]
    x = relu(kernel @ x + bias) * (0.5 if halve else 1)
  kernel, bias = wide['fc8']
  return kernel @ x + bias, x


def torchvision(arrays, image):
  """The logits of torchvision's alexnet: RGB [H, W, 3] in 0..255."""
  mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
  x = (image / 255 - np.array(mean)) / np.array(std)
  return forward(arrays, x.transpose(2, 0, 1), stride_padding=(2, 2),
                 groups=(1,) * 5, ceil=False)[0]


def caffe(arrays, image, mean, norm_after_pooling):
  """The logits of bvlc_alexnet, or CaffeNet; `mean` is BGR [3, H, W]."""
  bgr = image[..., ::-1].transpose(2, 0, 1) - mean
  return forward(arrays, bgr, stride_padding=(0, 0), groups=(1, 2, 1, 2, 2),
                 ceil=True, norm=(1, 5, 1e-4 / 5, 1),
                 norm_after_pooling=norm_after_pooling)[0]


# --- The files ----------------------------------------------------------------


def state_dict(arrays):
  """torchvision's names."""
  return {f'{name}.{kind}': leaf
          for name, leaves in zip(TORCHVISION, arrays.values(), strict=True)
          for kind, leaf in zip(('weight', 'bias'), leaves, strict=True)}


def varint(number):
  out = bytearray()
  while number > 127:
    out.append(number & 127 | 128)
    number >>= 7
  return bytes([*out, number])


def field(number, value):
  """A field of a protocol buffer: bytes, or an integer."""
  if isinstance(value, int):
    return varint(number << 3) + varint(value)
  return varint(number << 3 | 2) + varint(len(value)) + value


def blob(array, legacy=False):
  """BlobProto, with the shape of Caffe 1.0 or the four numbers before it."""
  if legacy:
    four = (1,) * (4 - array.ndim) + array.shape
    shape = b''.join(field(i + 1, side) for i, side in enumerate(four))
  else:
    shape = field(7, field(1, b''.join(map(varint, array.shape))))
  kind, number = ('<f8', 8) if array.dtype == np.float64 else ('<f4', 5)
  return shape + field(number, array.astype(kind).tobytes())


def caffemodel(arrays, version=2):
  """NetParameter with the layers of one version of Caffe."""
  data = field(1, b'AlexNet')
  for name, leaves in ({'data': ()} | arrays).items():
    blobs = [blob(leaf, version < 2) for leaf in leaves]
    if version == 2:
      data += field(100, field(1, name.encode()) + field(2, b'Convolution')
                    + b''.join(field(7, one) for one in blobs))
    elif version == 1:
      data += field(2, field(4, name.encode()) + field(5, 4)
                    + b''.join(field(6, one) for one in blobs))
    else:
      data += field(2, field(1, field(1, name.encode()) + b''.join(
          field(50, one) for one in blobs)))
  return data


def tensorflow(arrays, side=6):
  """The .npy dictionary of caffe-tensorflow: channels last, fc6 as well."""
  turned = {}
  for name, (kernel, bias) in arrays.items():
    if kernel.ndim == 4:
      kernel = kernel.transpose(2, 3, 1, 0)
    elif name == 'fc6':
      kernel = kernel.reshape(len(kernel), -1, side, side).transpose(2, 3, 1, 0)
      kernel = kernel.reshape(-1, kernel.shape[-1])
    else:
      kernel = kernel.T
    turned[name] = {'weights': np.ascontiguousarray(kernel), 'biases': bias}
  return turned


def of_2012(arrays):
  """The layers of the 2012 program: two columns, a matrix for each input."""
  layers = {}
  names = {'fc6': ('fc2048a', 'fc2048b'), 'fc7': ('fc2048ba', 'fc2048bb'),
           'fc8': ('fc1000',)}
  for name, (kernel, bias) in arrays.items():
    mine = names.get(name, (f'{name}a', f'{name}b'))
    for column, of_column, biases in zip(
        mine, np.split(kernel, len(mine)), np.split(bias, len(mine)),
        strict=True):
      crosses = name in ('conv3', 'fc6', 'fc7', 'fc8')
      inputs = np.split(of_column, 2, 1) if crosses else [of_column]
      layers[column] = {
          'name': column, 'type': 'layer',
          'weights': [np.ascontiguousarray(one.reshape(len(one), -1).T)
                      for one in inputs],
          'biases': biases[None], 'weightsInc': [np.zeros(3)]}
  return layers
