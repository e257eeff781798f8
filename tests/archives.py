"""Tars in memory, and a miniature of the archives of ILSVRC-2010."""

import io
import pathlib
import tarfile

import numpy as np
from scipy.io import savemat

from alexnet_jax.data import decoding, imagenet2010, images

# Classes in the order of their numbers, which is not that of their names; the
# last synset has the others below it and is no class.
SYNSETS = ('n02105855', 'n01440764', 'n01443537', 'n00001740')


def tar_of(files, compression=''):
  """The bytes of a tar with {name: bytes}."""
  buffer = io.BytesIO()
  with tarfile.open(fileobj=buffer, mode=f'w:{compression}') as tar:
    for name, data in files.items():
      info = tarfile.TarInfo(name)
      info.size = len(data)
      tar.addfile(info, io.BytesIO(data))
  return buffer.getvalue()


def picture(number):
  """A JPEG, and the pixels that it decodes to; each number has its own."""
  rng = np.random.default_rng(number)
  coarse = rng.integers(0, 256, (2, 3, 3), np.uint8)
  jpeg = images.encode_jpeg(coarse.repeat(24, 0).repeat(24, 1))
  return jpeg, decoding.decode(jpeg)


def devkit(validation_labels='3\n1\n'):
  """The bytes of a development kit."""
  table = np.zeros(len(SYNSETS), [
      ('ILSVRC2010_ID', 'O'), ('WNID', 'O'), ('num_children', 'O')])
  for i, synset in enumerate(SYNSETS):
    table[i] = (i + 1, synset, 3 * (i == 3))
  meta = io.BytesIO()
  savemat(meta, {'synsets': table[:, None]})
  return tar_of({
      'devkit-1.0/readme.txt': b'',
      'devkit-1.0/data/meta.mat': meta.getvalue(),
      'devkit-1.0/data/ILSVRC2010_validation_ground_truth.txt':
          validation_labels.encode()}, 'gz')


def write_ilsvrc2010(folder):
  """Writes two images of each class to train on, two and three to test on.

  Image i of class k is `picture(10 * k + i)`, those of validation and test are
  100 and 101, and 200 to 202.
  """
  folder = pathlib.Path(folder)
  folder.mkdir(parents=True, exist_ok=True)
  files = {
      'train': tar_of({
          f'{synset}.tar': tar_of({
              f'{synset}_{i}.JPEG': picture(10 * k + i)[0] for i in range(2)})
          for k, synset in enumerate(SYNSETS[:3])}),
      # A tar keeps no order of names.
      'validation': tar_of({
          f'val/ILSVRC2010_val_{i:08d}.JPEG': picture(99 + i)[0]
          for i in (2, 1)}),
      'test': tar_of({
          f'test/ILSVRC2010_test_{i:08d}.JPEG': picture(199 + i)[0]
          for i in (1, 3, 2)})}
  for split, data in files.items():
    (folder / imagenet2010.ARCHIVES[split]).write_bytes(data)
  (folder / imagenet2010.DEVKIT).write_bytes(devkit())
  (folder / imagenet2010.TEST_LABELS).write_text('2\n2\n1\n')
  return str(folder)
