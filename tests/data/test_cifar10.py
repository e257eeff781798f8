"""CIFAR-10 in the four forms in which people have it, all the same pictures."""

import io
import pickle
import shutil
import struct

import numpy as np
import pytest

from alexnet_jax.data import cifar, images
from alexnet_jax.data.sources import open_source
from alexnet_jax.errors import InputError

WORDS = ('airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog',
         'horse', 'ship', 'truck')
BATCHES = [*(f'data_batch_{k}' for k in range(1, 6)), 'test_batch']


class _Python2(pickle._Pickler):
  """Writes text and bytes as Python 2 wrote its strings."""

  dispatch = dict(pickle._Pickler.dispatch)

  def save_string(self, given):
    text = given.encode() if isinstance(given, str) else given
    self.write(pickle.BINSTRING + struct.pack('<i', len(text)) + text)

  dispatch[str] = dispatch[bytes] = save_string


def _pickled(content):
  """As the official files are: Python 2 and the numpy of its time."""
  file = io.BytesIO()
  _Python2(file, 2).dump(content)
  return file.getvalue().replace(b'numpy._core', b'numpy.core')


@pytest.fixture(scope='module')
def rows():
  """Label and pixels, as the binary files have them: 4 images a file."""
  draw = np.random.default_rng(0)
  rows = {name: draw.integers(0, 256, (4, 3073), np.uint8) for name in BATCHES}
  for k, name in enumerate(BATCHES):
    rows[name][:, 0] = (np.arange(4) * 3 + k) % 10
  return rows


def write_python(folder, rows, dumps=_pickled):
  folder.mkdir(parents=True)
  for name, held in rows.items():
    (folder / name).write_bytes(dumps({
        'data': held[:, 1:].copy(), 'labels': held[:, 0].tolist(),
        'batch_label': name}))
  (folder / 'batches.meta').write_bytes(dumps({'label_names': list(WORDS)}))


def write_binary(folder, rows):
  folder.mkdir(parents=True)
  for name, held in rows.items():
    (folder / f'{name}.bin').write_bytes(held.tobytes())
  (folder / 'batches.meta.txt').write_text('\n'.join([*WORDS, '', '']))


def write_pictures(folder, rows):
  for name, held in rows.items():
    split = 'test' if name == 'test_batch' else 'train'
    for word in WORDS:
      (folder / split / word).mkdir(parents=True, exist_ok=True)
    for i, row in enumerate(held):
      picture = row[1:].reshape(3, 32, 32).transpose(1, 2, 0)
      (folder / split / WORDS[row[0]] / f'{name}_{i}.png').write_bytes(
          images.encode_png(np.ascontiguousarray(picture)))


def expected(rows, split):
  names = BATCHES[5:] if split == 'validation' else BATCHES[:5]
  held = np.concatenate([rows[name] for name in names])
  return [(WORDS[row[0]], row[1:].reshape(3, 32, 32).transpose(1, 2, 0))
          for row in held]


def read(path, split, image_size=32):
  source = open_source('cifar10', split, path=str(path),
                       image_size=image_size)
  return source, [(source.class_names[source[i]['label']], source[i]['image'])
                  for i in range(len(source))]


@pytest.mark.parametrize('write, name', [
    (write_python, 'cifar-10-batches-py'),
    (write_binary, 'cifar-10-batches-bin'),
    (lambda folder, rows: write_python(folder, rows, pickle.dumps),
     'cifar-10-batches-py')], ids=['python2', 'binary', 'python3'])
def test_an_official_archive_is_read_pixel_for_pixel(
    tmp_path, rows, write, name):
  write(tmp_path / name, rows)
  for path in (tmp_path, tmp_path / name):
    for split in ('train', 'validation'):
      source, found = read(path, split)
      assert source.class_names == WORDS
      for (word, image), (real_word, real) in zip(
          found, expected(rows, split), strict=True):
        assert word == real_word and image.dtype == np.uint8
        np.testing.assert_array_equal(image, real)
  assert source.where(3).startswith(f'image 3 of {tmp_path / name}/test_batch')
  train, _ = read(tmp_path, 'train')
  assert '/data_batch_2' in train.where(4) and 'image 0 ' in train.where(4)


def test_pictures_in_train_and_test_folders_are_the_same_data(tmp_path, rows):
  # A class of the real data always has pictures; here some have none.
  full = dict(rows)
  full['data_batch_1'] = np.repeat(rows['data_batch_1'], 3, axis=0)[:10]
  full['data_batch_1'][:, 0] = np.arange(10)
  full['test_batch'] = full['data_batch_1'][::-1]
  write_pictures(tmp_path, full)
  for split in ('train', 'validation'):
    source, found = read(tmp_path, split)
    assert source.class_names == WORDS
    as_bytes = lambda pairs: sorted((w, i.tobytes()) for w, i in pairs)
    assert as_bytes(found) == as_bytes(expected(full, split))


def test_images_may_be_wanted_in_another_size(tmp_path, rows):
  write_binary(tmp_path / cifar.BINARY, rows)
  _, found = read(tmp_path, 'validation', image_size=64)
  (_, first), (_, real) = found[0], expected(rows, 'validation')[0]
  np.testing.assert_array_equal(first, images.square(real, 64))


def test_the_source_in_memory_pickles_and_limits(tmp_path, rows):
  write_python(tmp_path / cifar.PYTHON, rows)
  source, found = read(tmp_path, 'train')
  copy = pickle.loads(pickle.dumps(source))
  np.testing.assert_array_equal(copy[7]['image'], found[7][1])
  few = open_source('cifar10', 'train', path=str(tmp_path), image_size=32,
                    limit=5)
  assert len(few) == 5 and few.where(4) == source.where(16)


def test_none_of_the_four_forms_is_answered_with_all_four(tmp_path):
  with pytest.raises(InputError) as error:
    open_source('cifar10', 'train', path=str(tmp_path))
  assert str(error.value) == (
      f"'{tmp_path}' holds no CIFAR-10: put there cifar-10-batches-py/ or"
      ' cifar-10-batches-bin/ from the official archives, pictures as'
      ' train/CLASS/ and test/CLASS/, or cifar10/, which --task=prepare makes'
      ' of cifar-10-binary.tar.gz.')


def test_what_can_be_read_is_not_built_again(tmp_path, rows):
  write_binary(tmp_path / cifar.BINARY, rows)
  cifar.build(str(tmp_path))
  assert [file.name for file in tmp_path.iterdir()] == [cifar.BINARY]
  shutil.rmtree(tmp_path / cifar.BINARY)
  with pytest.raises(InputError, match='cifar-10-binary.tar.gz is missing'):
    cifar.build(str(tmp_path))


class _Calls:
  """Pickled, it asks for a function to be called."""

  def __reduce__(self):
    return print, ('a pickle must not be able to call this',)


@pytest.mark.parametrize('name, content, reason', [
    ('data_batch_3', pickle.dumps(_Calls()), 'it asks for builtins.print'),
    ('data_batch_3', pickle.dumps({'labels': [1]}), "it has no 'data'"),
    ('data_batch_3', pickle.dumps({'data': np.zeros((2, 5)), 'labels': [1, 2]}),
     'its data are float64 (2, 5)'),
    ('data_batch_3', b'cut short', 'pickle data was truncated'),
    ('batches.meta', None, 'No such file or directory')])
def test_a_damaged_pickle_is_named_and_calls_nothing(
    tmp_path, rows, capsys, name, content, reason):
  folder = tmp_path / cifar.PYTHON
  write_python(folder, rows)
  if content is None:
    (folder / name).unlink()
  else:
    (folder / name).write_bytes(content)
  with pytest.raises(InputError) as error:
    open_source('cifar10', 'train', path=str(tmp_path))
  said = str(error.value)
  assert said.startswith(
      f'{folder / name} cannot be read as a part of CIFAR-10 (')
  assert reason in said and said.endswith('unpack the official archive again.')
  assert not capsys.readouterr().out


def test_a_binary_file_cut_short_is_named(tmp_path, rows):
  write_binary(tmp_path / cifar.BINARY, rows)
  file = tmp_path / cifar.BINARY / 'test_batch.bin'
  file.write_bytes(file.read_bytes()[:-1])
  assert len(read(tmp_path, 'train')[1]) == 20
  with pytest.raises(InputError) as error:
    open_source('cifar10', 'validation', path=str(tmp_path))
  assert str(error.value) == (
      f'{file} cannot be read as a part of CIFAR-10 (12291 bytes are no rows'
      ' of 3073); unpack the official archive again.')
