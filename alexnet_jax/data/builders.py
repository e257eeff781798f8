"""ImageNet 2012, CIFAR-10 and MNIST through TFDS, without TensorFlow.

TFDS's own builders read the official archives with TensorFlow; the subclasses
here read those of ImageNet and CIFAR-10 with `tarfile` and write data sets with
TFDS's standard names, so that `tfds.data_source` can read the result. TFDS is
imported on first use because it is slow to import and the other sources do not
need it.
"""

import io
import os
import tarfile
from typing import Any

import numpy as np

from alexnet_jax.data import decoding, images
from alexnet_jax.errors import InputError

IMAGENET_TRAIN = 'ILSVRC2012_img_train.tar'
IMAGENET_VALIDATION = 'ILSVRC2012_img_val.tar'
CIFAR = 'cifar-10-binary.tar.gz'

MNISTS = ('mnist', 'fashion_mnist', 'kmnist')
_TWO_SPLITS = {'train': 'train', 'validation': 'test', 'test': 'test'}
_SPLITS = {'imagenet2012': {'train': 'train', 'validation': 'validation'},
           'cifar10': _TWO_SPLITS, **dict.fromkeys(MNISTS, _TWO_SPLITS)}


class Built:
  """A source for one split of a TFDS data set.

  For all but ImageNet, 'validation' is also the test split. The class names of
  ImageNet are synset ids such as n01440764, those of CIFAR-10 words.

  Args:
    name: 'imagenet2012', 'cifar10', or one of MNISTS.
    path: the TFDS data folder.
    split: 'train', 'validation' or, of all but ImageNet, 'test'.
    image_size: side of the squares in pixels.
    resize: see `images.square`.

  Raises:
    InputError: `path` contains no such data set in a readable format.
  """

  def __init__(self, name: str, path: str, split: str, image_size: int,
               resize: str = 'crop'):
    import tensorflow_datasets as tfds
    builder = tfds.builder(name, data_dir=path)
    # A decorator of TFDS hides that as_data_source is a method.
    open_records: Any = builder.as_data_source
    try:
      self._records = open_records(
          split=_SPLITS[name][split],
          decoders={'image': tfds.decode.SkipDecoding()})
    # TFDS raises these if the data are missing, lack the split or are stored
    # as tfrecord, which does not support random access.
    except (AssertionError, ValueError, NotImplementedError) as error:
      cure = (
          f"write them for access at random, tfds.builder('{name}', data_dir="
          "FOLDER, file_format='array_record').download_and_prepare(), or give"
          ' the folder of the four original files as config.data.path'
          if name in MNISTS else
          'put the official archives there and run: python launch.py '
          f'--config=CONFIG --task=prepare --config.data.name={name} '
          f'--config.data.path={path} --workdir=RECORDS')
      raise InputError(f'{path!r} has no {name} data that can be read; {cure}'
                       ) from error
    self.class_names = tuple(builder.info.features['label'].names)
    self._name = f'{name} {split} in {path}'
    self._image_size, self._resize = image_size, resize

  def __len__(self) -> int:
    return len(self._records)

  def __getitem__(self, i: int) -> dict:
    record = self._records[i]
    image = decoding.decode(record['image'], self.where(i))
    return {'image': images.square(image, self._image_size, self._resize),
            'label': np.int32(record['label'])}

  def where(self, i: int) -> str:
    return f'record {i} of {self._name}'

  def labels(self) -> np.ndarray:
    return np.array([record['label'] for record in self._records], np.int32)


def build_imagenet2012(path: str) -> None:
  """Writes the TFDS data set `imagenet2012` under `path` from its two tars.

  Does nothing if it is already there.

  Raises:
    InputError: ILSVRC2012_img_train.tar or ILSVRC2012_img_val.tar is missing,
      or the folder already contains the data set as tfrecord.
  """
  import tensorflow_datasets as tfds
  from tensorflow_datasets.datasets.imagenet2012 import (
      imagenet2012_dataset_builder as stock,
  )

  path = os.path.expanduser(path)
  folder = tfds.core.tfds_path('datasets/imagenet2012')

  class Imagenet2012(stock.Builder, skip_registration=True):
    """The TFDS builder, with archives and images read without TensorFlow."""

    name = 'imagenet2012'
    pkg_dir_path = folder

    def _split_generators(self, dl_manager):
      train = os.path.join(path, IMAGENET_TRAIN)
      validation = os.path.join(path, IMAGENET_VALIDATION)
      # TFDS provides the labels in the order of the sorted file names.
      labels = (folder / 'validation_labels.txt').read_text().split()
      with tarfile.open(validation) as tar:
        names = sorted(tar.getnames())
      return {
          'train': self._generate_examples(_members(train)),
          'validation': self._generate_examples(
              _members(validation), dict(zip(names, labels, strict=False))),
      }

    def _fix_image(self, image_fname, image):
      """Converts the 22 CMYK JPEGs and the one PNG to RGB JPEGs."""
      if image_fname in stock.CMYK_IMAGES + stock.PNG_IMAGES:
        rgb = decoding.decode(image.read(), image_fname)
        return io.BytesIO(images.encode_jpeg(rgb, quality=100))
      return image

  _build(Imagenet2012, path, (IMAGENET_TRAIN, IMAGENET_VALIDATION))


def build_cifar10(path: str) -> None:
  """Writes the TFDS data set `cifar10` under `path` from its archive.

  Does nothing if it is already there.

  Raises:
    InputError: cifar-10-binary.tar.gz is missing, or the folder already
      contains the data set as tfrecord.
  """
  from tensorflow_datasets.image_classification import cifar

  path = os.path.expanduser(path)

  class Cifar10(cifar.Cifar10, skip_registration=True):
    """The TFDS builder, which here reads the archive in memory."""

    name = 'cifar10'
    MANUAL_DOWNLOAD_INSTRUCTIONS = f'Put {CIFAR} into the folder.'

    def _split_generators(self, dl_manager):
      info = self._cifar_info
      files = {name: file.read()
               for name, file in _members(os.path.join(path, CIFAR))}
      names = files[info.prefix + info.label_files[0]].decode().split()
      self.info.features['label'].names = names
      return {split: _cifar_examples(
          f'{split}_', b''.join(files[info.prefix + file] for file in part))
              for split, part in (('train', info.train_files),
                                  ('test', info.test_files))}

  _build(Cifar10, path, (CIFAR,))


def _build(builder_class, path: str, archives: tuple[str, ...]) -> None:
  import tensorflow_datasets as tfds
  try:
    builder = builder_class(data_dir=path, file_format='array_record')
  except ValueError as error:  # already there, in the default format of TFDS
    raise InputError(
        f'{path!r} already has {builder_class.name} data in a format that '
        f'cannot be read at random; remove {path}/{builder_class.name} or '
        'point --config.data.path at another folder with the archives.'
    ) from error
  if builder.is_prepared():
    return
  for archive in archives:
    if not os.path.exists(os.path.join(path, archive)):
      raise InputError(
          f'{archive} is missing in {path!r}; download it from its official '
          'site into that folder, under that name.')
  builder.download_and_prepare(
      download_config=tfds.download.DownloadConfig(manual_dir=path))


def _members(path: str):
  """Yields (name, open file) for each file of a plain or compressed tar."""
  with tarfile.open(path, 'r|*') as tar:
    for member in tar:
      if member.isfile():
        yield member.name, tar.extractfile(member)


def _cifar_examples(prefix: str, data: bytes):
  """Decodes records: a label byte, then 32 x 32 red, green and blue values."""
  rows = np.frombuffer(data, np.uint8).reshape(-1, 1 + 3 * 32 * 32)
  for i, row in enumerate(rows):
    image = row[1:].reshape(3, 32, 32).transpose(1, 2, 0)
    yield i, {'id': f'{prefix}{i:05d}', 'label': int(row[0]),
              'image': images.encode_png(image)}
