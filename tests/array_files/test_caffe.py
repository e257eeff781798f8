"""Caffe's files, byte by byte."""

import numpy as np
import pytest
from published_files import blob, caffemodel, field, varint

from alexnet_jax.array_files import caffe

DRAW = np.random.default_rng(0)
LAYERS = {'conv1': (DRAW.normal(size=(4, 3, 2, 2)).astype('f'),
                    DRAW.normal(size=4).astype('f')),
          'fc6': (DRAW.normal(size=(5, 16)).astype('f'),)}


@pytest.mark.parametrize('version', [0, 1, 2])
def test_the_layers_of_every_version_are_read(version):
  found = caffe.read_model(caffemodel(LAYERS, version))
  assert list(found) == ['conv1/0', 'conv1/1', 'fc6/0']
  for name, leaves in LAYERS.items():
    for i, leaf in enumerate(leaves):
      array = found[f'{name}/{i}']
      np.testing.assert_array_equal(array.reshape(leaf.shape), leaf)
  if version < 2:
    assert found['fc6/0'].shape == (1, 1, 5, 16)


def test_doubles_and_numbers_in_parts_are_read():
  double = DRAW.normal(size=(2, 3))
  np.testing.assert_array_equal(caffe.read_blob(blob(double)), double)
  data = np.float32([1, 2, 3])
  parts = field(5, data[:2].tobytes()) + field(5, data[2:].tobytes())
  single = b''.join(varint(5 << 3 | 5) + one.tobytes() for one in data)
  for message in (parts, single):
    np.testing.assert_array_equal(caffe.read_blob(message), data)


def test_other_fields_are_passed_over():
  unknown = field(3, b'input') + field(4, 7) + varint(9 << 3 | 1) + bytes(8)
  found = caffe.read_model(unknown + caffemodel(LAYERS) + unknown)
  assert len(found) == 3


def wrong(message, read=caffe.read_blob):
  with pytest.raises(ValueError) as refused:
    read(message)
  return str(refused.value)


def shape(*sides):
  return field(7, field(1, b''.join(
      varint(side % 2**64) for side in sides)))


@pytest.mark.parametrize('sides', [
    (3,), (2**40, 2**40), (-1, -2), (-2,), (0,), (1,) * 40])
def test_a_shape_that_differs_from_the_numbers_is_refused(sides):
  assert '2 numbers' in wrong(shape(*sides) + field(5, bytes(8)))


def test_numbers_that_are_cut_are_refused():
  assert 'multiple' in wrong(field(5, bytes(7)))


def test_messages_that_end_too_early_are_refused():
  data = caffemodel(LAYERS)
  for size in range(1, len(data), 7):
    if size > 9:  # behind the name of the network
      assert 'ends' in wrong(data[:size], caffe.read_model)


@pytest.mark.parametrize('message, reason', [
    (b'\xff' * 11, 'ten bytes'), (b'\x0b', 'wire type 3'),
    (b'\0\0', 'number 0'),
    (varint(5 << 3 | 2) + varint(2**63), 'too early'),
    (b'\x08\x00' * (caffe.MOST_FIELDS + 1), 'fields')])
def test_what_is_no_message_is_refused(message, reason):
  assert reason in wrong(message, caffe.read_model)


def test_a_model_without_weights_is_refused():
  assert 'no layers' in wrong(field(1, b'AlexNet'), caffe.read_model)
