"""ILSVRC-2010, read from its official archives where they lie.

Table 1 of the paper is about this data set, the only one of its years with
public labels of the test images. A folder has these files, which image-net.org
gives to registered users:

    ILSVRC2010_images_train.tar       a tar for each synset
    ILSVRC2010_images_val.tar
    ILSVRC2010_devkit-1.0.tar.gz      class names, labels for validation
    ILSVRC2010_images_test.tar        optional
    ILSVRC2010_test_ground_truth.txt  the labels of that
    patch_images.tar                  optional: images to use instead

The last has images whose first versions are blank. The tars are not unpacked:
their headers are read first, 15,000 a second on one core, and each image from
its place in the file.
"""

import gzip
import io
import os
import tarfile
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from alexnet_jax.data import decoding, images
from alexnet_jax.errors import InputError, printable

ARCHIVES = {'train': 'ILSVRC2010_images_train.tar',
            'validation': 'ILSVRC2010_images_val.tar',
            'test': 'ILSVRC2010_images_test.tar'}
PATCHES = 'patch_images.tar'
DEVKIT = 'ILSVRC2010_devkit-1.0.tar.gz'
META, VALIDATION_LABELS = 'meta.mat', 'ILSVRC2010_validation_ground_truth.txt'
TEST_LABELS = 'ILSVRC2010_test_ground_truth.txt'
_GZIP = b'\x1f\x8b'
_DAMAGED = (OSError, EOFError, tarfile.TarError, zlib.error)


class Member(NamedTuple):
  """A file in a tar."""

  name: str
  archive: str
  offset: int
  size: int  # bytes


class Imagenet2010:
  """A source for one split of the archives in a folder.

  The class names are synset ids such as n01440764, in their order.

  Args:
    folder: the folder with the archives.
    split: 'train', 'validation' or 'test'.
    image_size: side of the squares in pixels.
    resize: see `images.square`.

  Raises:
    InputError: an archive is missing or damaged, its images are not those of
      the labels, or a class has none to train on.
  """

  def __init__(self, folder: str, split: str, image_size: int,
               resize: str = 'crop'):
    path = _existing(folder, ARCHIVES[split])
    devkit = _existing(folder, DEVKIT)
    synsets = _synsets(devkit)
    self.class_names = tuple(sorted(synsets.values()))
    if split == 'train':
      members, names = _training_images(path, self.class_names)
    else:
      labels = (_from_devkit(devkit, VALIDATION_LABELS)
                if split == 'validation'
                else decoding.read_file(_existing(folder, TEST_LABELS)))
      members = sorted(_members(path))
      names = _synsets_of(path, len(members), labels, synsets)
    patches = {}
    if os.path.exists(os.path.join(folder, PATCHES)):
      patches = {one.name: one
                 for one in _members(os.path.join(folder, PATCHES))}
    members = [patches.get(one.name, one) for one in members]
    self._archives = sorted({one.archive for one in members})
    # Arrays, since workers copy the source with its million images.
    self._archive_of = np.array(
        [self._archives.index(one.archive) for one in members], np.int8)
    self._names = np.array([os.fsencode(one.name) for one in members])
    self._spans = np.array([(one.offset, one.size) for one in members])
    self._labels = np.searchsorted(self.class_names, names).astype(np.int32)
    self._image_size, self._resize = image_size, resize

  def __len__(self) -> int:
    return len(self._labels)

  def __getitem__(self, i: int) -> dict:
    offset, size = map(int, self._spans[i])
    with open(self._archives[self._archive_of[i]], 'rb') as file:
      file.seek(offset)
      data = file.read(size)
    image = decoding.decode(_expanded(data), self.where(i))
    return {'image': images.square(image, self._image_size, self._resize),
            'label': self._labels[i]}

  def where(self, i: int) -> str:
    return (f'{os.fsdecode(self._names[i])} in'
            f' {self._archives[self._archive_of[i]]}')

  def labels(self) -> np.ndarray:
    return self._labels


def has_test_split(folder: str) -> bool:
  """Returns whether the archive of the test images is in a folder."""
  return os.path.exists(os.path.join(folder, ARCHIVES['test']))


def _expanded(data: bytes) -> bytes:
  """Returns the contents of an image; some are compressed once more."""
  if not data.startswith(_GZIP):
    return data
  try:
    return gzip.decompress(data)
  except _DAMAGED:
    return data  # which is no picture, as the reader then says


def _training_images(path, class_names):
  """Returns all images, and the synset of each."""
  members, names = [], []
  for inner in _members(path):
    synset = inner.name.removesuffix('.tar')
    if synset not in class_names:
      raise _unsuitable(
          path, f'has {printable(inner.name)!r}, which is no class of {DEVKIT}')
    of_synset = list(_members(path, inner.offset))
    members += of_synset
    names += [synset] * len(of_synset)
  lacking = sorted(set(class_names) - set(names))
  if lacking:
    raise _unsuitable(
        path, f'has no images of {len(lacking)} of the {len(class_names)}'
        f' classes of {DEVKIT}, such as {printable(lacking[0])}')
  return members, names


def _synsets_of(path, count, labels, synsets):
  """Returns the synset of each image; there is a line with an id for each."""
  lines = labels.split()
  if len(lines) != count:
    raise _unsuitable(path, f'has {count} images for {len(lines)} labels')
  try:
    return [synsets[line] for line in lines]
  except KeyError as error:
    label = os.fsdecode(error.args[0])
    raise _unsuitable(path, f'has the label {printable(label)}, which is no'
                      f' class of {DEVKIT}') from error


def _synsets(devkit: str) -> dict[bytes, str]:
  """Returns {its number in the lists of labels: synset} of each class.

  Synsets with children are no classes.
  """
  from scipy.io import loadmat  # JAX depends on SciPy
  content = _from_devkit(devkit, META)
  try:
    return {b'%d' % one['ILSVRC2010_ID']: str(one['WNID'])
            for one in loadmat(io.BytesIO(content), squeeze_me=True)['synsets']
            if not one['num_children']}
  # SciPy raises almost any exception on damaged files.
  except Exception as error:
    raise _unsuitable(devkit, f'has a {META} that cannot be read') from error


def _from_devkit(devkit: str, name: str) -> bytes:
  """Returns the contents of a file of the development kit."""
  try:
    with tarfile.open(devkit) as tar:
      for member in tar:
        if os.path.basename(member.name) == name:
          file = tar.extractfile(member)
          return file.read() if file else b''
  except _DAMAGED as error:
    raise _unsuitable(devkit, f'cannot be read ({error})') from error
  raise _unsuitable(devkit, f'has no {name}')


def _members(path: str, start: int = 0) -> Iterator[Member]:
  """Yields the files of the tar that begins at byte `start` of a file."""
  try:
    with open(path, 'rb') as file:
      file.seek(start)
      with tarfile.open(fileobj=file, mode='r:') as tar:
        for member in tar:
          if member.isfile():
            yield Member(os.path.basename(member.name), path,
                         member.offset_data, member.size)
  except _DAMAGED as error:
    raise _unsuitable(path, f'cannot be read ({error})') from error


def _existing(folder: str, name: str) -> str:
  path = os.path.join(folder, name)
  if not os.path.exists(path):
    raise InputError(
        f'{name} is missing in {printable(folder)!r}; download it from'
        ' image-net.org into that folder, under that name.')
  return path


def _unsuitable(path, reason):
  return InputError(
      f'{printable(path)!r} {reason}; download it again from image-net.org.')
