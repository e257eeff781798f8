"""TFDS's real builders on miniatures of the official archives."""

import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from archives import tar_of
from PIL import Image

from alexnet_jax.data import builders, decoding, images
from alexnet_jax.data.sources import open_source
from alexnet_jax.errors import InputError

SYNSETS = ('n01440764', 'n01443537', 'n02105855')
PNG = 'n02105855_2933.JPEG'  # the one PNG among ImageNet's JPEGs
WORDS = ('airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog',
         'horse', 'ship', 'truck')


@pytest.fixture
def imagenet(tmp_path, jpeg):
  """A folder with both official tars, four pictures a class."""
  train = {}
  for k, synset in enumerate(SYNSETS):
    files = {f'{synset}_{i}.JPEG': jpeg(4 * k + i) for i in range(4)}
    if synset == PNG[:9]:
      files[PNG] = jpeg(77, format='PNG')
    train[f'{synset}.tar'] = tar_of(files)
  (tmp_path / builders.IMAGENET_TRAIN).write_bytes(tar_of(train))
  # TFDS labels validation pictures by their place in the sorted names.
  validation = {f'ILSVRC2012_val_{i:08d}.JPEG': jpeg(50 + i)
                for i in (2, 1, 3)}
  (tmp_path / builders.IMAGENET_VALIDATION).write_bytes(tar_of(validation))
  return str(tmp_path)


@pytest.fixture
def cifar(tmp_path):
  """A folder with the official archive's layout; file k holds k + 1 images."""
  rng = np.random.default_rng(0)
  names = [f'data_batch_{k}.bin' for k in range(1, 6)] + ['test_batch.bin']
  rows, files = {}, {}
  for k, name in enumerate(names):
    rows[name] = rng.integers(0, 256, (k + 1, 3073), np.uint8)
    rows[name][:, 0] %= 10
    files[f'cifar-10-batches-bin/{name}'] = rows[name].tobytes()
  files['cifar-10-batches-bin/batches.meta.txt'] = (
      '\n'.join([*WORDS, '', '']).encode())
  (tmp_path / builders.CIFAR).write_bytes(tar_of(files, 'gz'))
  return str(tmp_path), rows


def test_imagenet_is_built_from_its_tars_and_read_back(imagenet, jpeg):
  builders.build_imagenet2012(imagenet)
  train = open_source('imagenet2012', 'train', path=imagenet, image_size=64)
  assert len(train) == 13
  assert len(train.class_names) == 1000
  classes = [train.class_names[train[i]['label']] for i in range(13)]
  assert sorted(classes) == sorted(SYNSETS * 4 + (PNG[:9],))
  assert train[0]['image'].shape == (64, 64, 3)
  expected = {synset: [images.square(decoding.decode(jpeg(4 * k + i)), 64)
                       for i in range(4)] for k, synset in enumerate(SYNSETS)}
  exact = sum(
      any(np.array_equal(train[i]['image'], e) for e in expected[classes[i]])
      for i in range(13))
  assert exact == 12, 'all but the re-encoded PNG, each under its own class'


def test_imagenets_png_becomes_a_jpeg_of_the_same_picture(imagenet, jpeg):
  builders.build_imagenet2012(imagenet)
  stored = tfds.data_source(
      'imagenet2012', data_dir=imagenet, split='train',
      decoders={'image': tfds.decode.SkipDecoding()})
  (data,) = [record['image'] for record in stored
             if record['file_name'] == PNG.encode()]
  assert Image.open(io.BytesIO(data)).format == 'JPEG'
  original = decoding.decode(jpeg(77, format='PNG')).astype(int)
  assert np.abs(decoding.decode(data) - original).mean() < 2


def test_imagenets_validation_labels_follow_the_sorted_names(imagenet, jpeg):
  builders.build_imagenet2012(imagenet)
  source = open_source('imagenet2012', 'validation', path=imagenet,
                       image_size=32)
  official = tfds.core.tfds_path(
      'datasets/imagenet2012/validation_labels.txt').read_text().split()
  found = {}
  for i in range(3):
    for number in (1, 2, 3):
      picture = images.square(decoding.decode(jpeg(50 + number)), 32)
      if np.array_equal(picture, source[i]['image']):
        found[number] = source.class_names[source[i]['label']]
  assert found == {n: official[n - 1] for n in (1, 2, 3)}


def test_a_built_source_pickles(imagenet):
  builders.build_imagenet2012(imagenet)
  source = open_source('imagenet2012', 'train', path=imagenet, image_size=32)
  copy = pickle.loads(pickle.dumps(source))
  assert np.array_equal(copy[5]['image'], source[5]['image'])
  assert copy.where(5) == f'record 5 of imagenet2012 train in {imagenet}'


def test_cifar10_is_built_and_read_back_pixel_for_pixel(cifar):
  path, rows = cifar
  builders.build_cifar10(path)
  sources = {split: open_source('cifar10', split, path=path, image_size=32)
             for split in ('train', 'validation')}
  assert sources['train'].class_names == WORDS
  train = np.concatenate([rows[f'data_batch_{k}.bin'] for k in range(1, 6)])
  for split, expected in (('train', train),
                          ('validation', rows['test_batch.bin'])):
    source = sources[split]
    read = [(int(source[i]['label']), source[i]['image'].tobytes())
            for i in range(len(source))]
    given = [(int(row[0]),
              row[1:].reshape(3, 32, 32).transpose(1, 2, 0).tobytes())
             for row in expected]
    assert sorted(read) == sorted(given)


def test_building_again_does_nothing(cifar):
  path, _ = cifar
  builders.build_cifar10(path)
  os.remove(os.path.join(path, builders.CIFAR))
  builders.build_cifar10(path)
  assert len(open_source('cifar10', 'train', path=path)) == 15


def test_data_not_built_yet_are_answered_with_the_command(tmp_path):
  with pytest.raises(InputError) as error:
    open_source('imagenet2012', 'train', path=str(tmp_path))
  assert str(error.value) == (
      f"'{tmp_path}' has no imagenet2012 data that can be read; put the "
      'official archives there and run: python launch.py --config=CONFIG '
      '--task=prepare --config.data.name=imagenet2012 '
      f'--config.data.path={tmp_path} --workdir=RECORDS')


def test_a_missing_archive_is_named(tmp_path, imagenet):
  os.remove(os.path.join(imagenet, builders.IMAGENET_VALIDATION))
  for build, archive in ((builders.build_imagenet2012,
                          'ILSVRC2012_img_val.tar'),
                         (builders.build_cifar10, 'cifar-10-binary.tar.gz')):
    with pytest.raises(InputError) as error:
      build(str(tmp_path))
    assert str(error.value) == (
        f"{archive} is missing in '{tmp_path}'; download it from its "
        'official site into that folder, under that name.')


def test_data_written_before_as_tfrecord_are_refused(cifar):
  path, _ = cifar
  builders.build_cifar10(path)
  (info,) = Path(path).rglob('dataset_info.json')
  info.write_text(info.read_text().replace('array_record', 'tfrecord'))
  with pytest.raises(InputError, match='has no cifar10 data that can be read'):
    open_source('cifar10', 'train', path=path)
  with pytest.raises(InputError) as error:
    builders.build_cifar10(path)
  assert str(error.value) == (
      f"'{path}' already has cifar10 data in a format that cannot be read at "
      f'random; remove {path}/cifar10 or point --config.data.path at another '
      'folder with the archives.')
