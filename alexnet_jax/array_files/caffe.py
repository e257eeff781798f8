"""Reads Caffe's .caffemodel and .binaryproto files.

Both are protocol buffers, of which a few fields matter here. A message is a
sequence of fields, each a number and a wire type, then the value. The numbers
are those of caffe.proto:

  NetParameter       2 layers (V1), 100 layer (V2)
  V1LayerParameter   4 name, 6 blobs, 1 the layer of version 0
  V0LayerParameter   1 name, 50 blobs
  LayerParameter     1 name, 7 blobs
  BlobProto          7 shape, 1 to 4 num, channels, height, width;
                     5 data (float), 8 data (double), all packed
  BlobShape          1 dim
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types
MOST_FIELDS = 100_000  # of a message; a real one has some hundreds
MOST_AXES = 32  # of a blob, as in Caffe
FIXED = {FIXED64: 8, FIXED32: 4}  # bytes
Value = int | memoryview


def read_model(data: bytes) -> dict[str, np.ndarray]:
  """Returns the blobs of a .caffemodel: {'conv1/0': kernels, 'conv1/1': ...}.

  Raises:
    ValueError: the data are no NetParameter, or a blob is damaged.
  """
  arrays = {}
  for number, value in fields(memoryview(data)):
    if number not in (2, 100) or isinstance(value, int):
      continue
    name, blobs = _layer(value, number == 2)
    for i, blob in enumerate(blobs):
      arrays[f'{name}/{i}'] = read_blob(blob)
  if not arrays:
    raise ValueError('it has no layers with weights')
  return arrays


def _layer(message, is_v1):
  name_field, blobs_field = (4, 6) if is_v1 else (1, 7)
  parsed = list(fields(message))
  if is_v1:
    inner = [value for number, value in parsed
             if number == 1 and not isinstance(value, int)]
    if inner:  # version 0
      name_field, blobs_field, parsed = 1, 50, list(fields(inner[0]))
  name = b''.join(bytes(value) for number, value in parsed
                  if number == name_field and not isinstance(value, int))
  blobs = [value for number, value in parsed
           if number == blobs_field and not isinstance(value, int)]
  return name.decode(errors='replace'), blobs


def read_blob(message: bytes | memoryview) -> np.ndarray:
  """Returns the array of a BlobProto, such as a mean image.

  Raises:
    ValueError: the shape and the count of numbers disagree, or the message is
      damaged.
  """
  legacy, shape, floats, doubles = {}, None, [], []
  for number, value in fields(memoryview(message)):
    if isinstance(value, int):
      if number <= 4:
        legacy[number] = value
    elif number == 7:
      shape = _dims(value)
    elif number == 5:
      floats.append(value)
    elif number == 8:
      doubles.append(value)
  kind, parts = ('<f8', doubles) if doubles else ('<f4', floats)
  numbers = np.frombuffer(b''.join(parts), kind)
  if shape is None:
    shape = [legacy.get(axis, 1) for axis in range(1, 5)] if legacy else [
        len(numbers)]
  if len(shape) > MOST_AXES or math.prod(shape) != len(numbers):
    raise ValueError(f'a blob of shape {shape[:MOST_AXES]} has {len(numbers):,}'
                     ' numbers')
  return numbers.reshape(shape)


def _dims(message) -> Sequence[int]:
  dims = []
  for number, value in fields(message):
    if number != 1:
      continue
    if isinstance(value, int):
      dims.append(value)
      continue
    at = 0
    while at < len(value):
      dim, at = _varint(value, at)
      dims.append(dim)
  return dims


def fields(message: memoryview) -> Iterator[tuple[int, Value]]:
  """Yields (field number, value) of a message, in its order.

  Raises:
    ValueError: the message is no protocol buffer, or ends within a field.
  """
  at, count = 0, 0
  while at < len(message):
    count += 1
    if count > MOST_FIELDS:
      raise ValueError(f'a message has more than {MOST_FIELDS:,} fields')
    tag, at = _varint(message, at)
    number, kind = tag >> 3, tag & 7
    if not number:
      raise ValueError('a field has the number 0')
    if kind == VARINT:
      value, at = _varint(message, at)
      yield number, value
      continue
    if kind == BYTES:
      size, at = _varint(message, at)
    elif kind in FIXED:
      size = FIXED[kind]
    else:
      raise ValueError(f'a field has the wire type {kind}')
    if size > len(message) - at:
      raise ValueError(f'it ends {size - len(message) + at:,} bytes too early')
    yield number, message[at:at + size]
    at += size


def _varint(message, at):
  value = 0
  for shift in range(0, 70, 7):
    if at >= len(message):
      raise ValueError('it ends within a number')
    byte = message[at]
    at += 1
    value |= (byte & 127) << shift
    if byte < 128:
      return value, at
  raise ValueError('a number has more than ten bytes')
