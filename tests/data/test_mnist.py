"""MNIST from files written here, and what is said about damaged ones."""

import functools
import gzip
import struct

import numpy as np
import pytest

from alexnet_jax.data.sources import open_source
from alexnet_jax.errors import InputError

COUNT = 7
PIXELS = np.random.default_rng(0).integers(0, 256, (COUNT, 28, 28), np.uint8)
LABELS = np.arange(COUNT, dtype=np.uint8)
# Without the time of packing: the same bytes at every call.
pack = functools.partial(gzip.compress, mtime=0)


def idx(array):
  """The bytes of a file: two zeros, 8 for bytes, the axes and their sides."""
  head = struct.pack(f'>BBBB{array.ndim}I', 0, 0, 8, array.ndim, *array.shape)
  return head + array.tobytes()


def write(folder, pixels=PIXELS, labels=LABELS, ending='', prefix='t10k'):
  folder.mkdir(parents=True, exist_ok=True)
  for name, array in (('images-idx3-ubyte', pixels),
                      ('labels-idx1-ubyte', labels)):
    (folder / f'{prefix}-{name}{ending}').write_bytes(
        pack(idx(array)) if ending else idx(array))
  return folder


@pytest.mark.parametrize('ending', ['', '.gz'])
@pytest.mark.parametrize('below', ['.', 'raw', 'MNIST/raw'])
def test_files_are_found_as_they_are_usually_kept(tmp_path, ending, below):
  write(tmp_path / below, ending=ending)
  write(tmp_path / below, PIXELS[:3], LABELS[:3], ending, 'train')
  for split, count in (('train', 3), ('validation', COUNT), ('test', COUNT)):
    source = open_source('mnist', split, path=str(tmp_path), image_size=32)
    assert len(source) == count
    assert source.class_names == tuple('0123456789')


def test_an_image_has_two_black_pixels_around_it_and_three_equal_colors(
    tmp_path):
  source = open_source('mnist', 'test', path=str(write(tmp_path)),
                       image_size=32)
  example = source[5]
  assert example['image'].shape == (32, 32, 3)
  assert example['image'].dtype == np.uint8
  assert example['label'] == 5 and example['label'].dtype == np.int32
  for color in range(3):
    np.testing.assert_array_equal(
        example['image'][2:-2, 2:-2, color], PIXELS[5])
  assert not example['image'][:2].any() and not example['image'][:, -2:].any()
  assert source.where(5).startswith('image 5 of ')
  wide = open_source('mnist', 'test', path=str(tmp_path), image_size=40)
  assert wide[0]['image'].shape == (40, 40, 3)


def cut(data):
  return data[:-1]


@pytest.mark.parametrize('name, change, part', [
    ('images-idx3-ubyte', cut, '5487 bytes are not its 7 entries'),
    ('images-idx3-ubyte', lambda data: b'', 'does not start as IDX with 3'),
    ('images-idx3-ubyte', lambda data: data[:9], 'does not start as IDX'),
    ('images-idx3-ubyte', lambda data: b'\0\0\x0d\3' + data[4:],
     'does not start as IDX'),
    ('images-idx3-ubyte', lambda data: idx(PIXELS[:, :20, :20]),
     'its entries are 20 x 20'),
    ('labels-idx1-ubyte', lambda data: idx(PIXELS), 'IDX with 1 axes'),
    ('labels-idx1-ubyte', lambda data: idx(LABELS[:-1]),
     '6 labels for 7 images'),
    ('labels-idx1-ubyte', lambda data: idx(LABELS + 20), 'the label 26'),
    ('labels-idx1-ubyte', lambda data: idx(LABELS[:0]),
     '0 bytes are not its 0 entries'),
])
def test_a_damaged_file_is_named(tmp_path, name, change, part):
  file = write(tmp_path) / f't10k-{name}'
  file.write_bytes(change(file.read_bytes()))
  with pytest.raises(InputError) as error:
    open_source('mnist', 'test', path=str(tmp_path))
  assert part in str(error.value)
  assert f'{file} cannot be read as a part of MNIST' in str(error.value)
  assert str(error.value).endswith('get the file again.')


@pytest.mark.parametrize('data', [
    b'no gzip', pack(idx(PIXELS))[:-20], pack(idx(PIXELS))[:40] + b'\xff' * 40])
def test_a_damaged_compressed_file_is_named(tmp_path, data):
  file = write(tmp_path, ending='.gz') / 't10k-images-idx3-ubyte.gz'
  file.write_bytes(data)
  with pytest.raises(InputError, match='cannot be read as a part of MNIST'):
    open_source('mnist', 'test', path=str(tmp_path))


def test_a_folder_without_the_files_says_which_are_missing(tmp_path):
  with pytest.raises(InputError) as error:
    open_source('mnist', 'train', path=str(tmp_path))
  assert str(error.value) == (
      f'{tmp_path} has no train-images-idx3-ubyte: give the folder that has the'
      ' four files of MNIST, such as train-images-idx3-ubyte or'
      ' train-images-idx3-ubyte.gz, as config.data.path.')
