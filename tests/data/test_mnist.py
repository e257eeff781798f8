"""MNIST from files written here, and what is said about damaged ones."""

import functools
import gzip
import pickle
import struct

import numpy as np
import pytest

from alexnet_jax.data import images
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
      ' train-images-idx3-ubyte.gz, or a data set of TFDS, as'
      ' config.data.path.')


# --- Data sets that TFDS has written ------------------------------------------


def write_with_tfds(folder, name='mnist', **form):
  """Writes a miniature with TFDS's builder, which itself downloads 60,000."""
  # Imported here, as it takes a second.
  from tensorflow_datasets.image_classification import mnist

  stock = {'mnist': mnist.MNIST, 'fashion_mnist': mnist.FashionMNIST}[name]
  examples = [{'image': images.encode_png(image), 'label': int(label)}
              for image, label in zip(PIXELS, LABELS, strict=True)]

  class Miniature(stock, skip_registration=True):
    """Its own names and features, and the images of this file."""

    def _split_generators(self, dl_manager):
      del dl_manager
      return {split: enumerate(examples[:count])
              for split, count in (('train', 3), ('test', COUNT))}

  Miniature.name = name
  Miniature(data_dir=str(folder), **{'file_format': 'array_record', **form}
            ).download_and_prepare()


@pytest.fixture(scope='module')
def written(tmp_path_factory):
  """A data folder of TFDS with both data sets."""
  folder = tmp_path_factory.mktemp('tfds')
  for name in ('mnist', 'fashion_mnist'):
    write_with_tfds(folder, name)
  return folder


@pytest.mark.parametrize('name, eighth', [
    ('mnist', '7'), ('fashion_mnist', 'Sneaker')])
def test_what_tfds_has_written_is_the_same_as_the_files(
    written, tmp_path, name, eighth):
  source = open_source('mnist', 'test', path=str(written / name), image_size=32)
  files = open_source('mnist', 'test', path=str(write(tmp_path)), image_size=32)
  assert len(source) == COUNT and source.class_names[7] == eighth
  seen = sorted((int(one['label']), one['image'].tobytes()) for one in (
      pickle.loads(pickle.dumps(source))[i] for i in range(COUNT)))
  assert seen == sorted((int(one['label']), one['image'].tobytes())
                        for one in (files[i] for i in range(COUNT)))
  assert sorted(source.labels()) == sorted(files.labels())
  assert f'of {name} test in ' in source.where(0)
  assert len(open_source('mnist', 'train', path=str(written / name))) == 3


def test_one_data_set_of_tfds_is_found_in_its_data_folder(tmp_path):
  write_with_tfds(tmp_path)
  for split, count in (('train', 3), ('validation', COUNT)):
    assert len(open_source('mnist', split, path=str(tmp_path))) == count


def test_which_of_two_data_sets_of_tfds_must_be_said(written):
  with pytest.raises(InputError) as error:
    open_source('mnist', 'train', path=str(written))
  assert str(error.value) == (
      f'{written} has 2 data sets of TFDS: give {written}/mnist or'
      f' {written}/fashion_mnist as config.data.path.')


def test_data_of_tfds_that_cannot_be_read_at_random_are_refused(tmp_path):
  write_with_tfds(tmp_path)
  info, = tmp_path.rglob('dataset_info.json')
  info.write_text(info.read_text().replace('array_record', 'tfrecord'))
  with pytest.raises(InputError) as error:
    open_source('mnist', 'train', path=str(tmp_path))
  assert str(error.value) == (
      f"'{tmp_path}' has no mnist data that can be read; write them for access"
      " at random, tfds.builder('mnist', data_dir=FOLDER, file_format="
      "'array_record').download_and_prepare(), or give the folder of the four"
      ' original files as config.data.path')
