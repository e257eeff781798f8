"""Parameters by name: in a file, and taken by another network."""

import jax
import numpy as np
import pytest
import safetensors.numpy

from alexnet_jax import machine
from alexnet_jax.errors import InputError
from alexnet_jax.learning.augment import PixelStats
from alexnet_jax.run import weights
from alexnet_jax.run.weights import Weights

SHAPES = {'conv1': (2, 11, 11, 3, 4), 'conv2': (2, 5, 5, 4, 4),
          'fc6': (2, 64, 8), 'fc8': (16, 3)}


def layers(value, **shapes):
  """Layers full of one number; `shapes` of kernels that are not as above."""
  return {
      name: {'kernel': np.full(shape, value, np.float32),
             'bias': np.full((*shape[:-4], shape[-1]), value, np.float32)}
      for name, shape in (SHAPES | shapes).items()}


def values(fitted):
  """{layer: the number that it is full of}."""
  return {name: float(held['kernel'].flat[0])
          for name, held in fitted.layers.items()}


def inserted(name, shape, below):
  """Layers with one more in between."""
  shapes = {}
  for other, held in SHAPES.items():
    if other == below:
      shapes[name] = shape
    shapes[other] = held
  return {each: layers(7.0, **shapes)[each] for each in shapes}


def written(path):
  draw = np.random.default_rng(0)
  given = Weights(
      {name: {kind: draw.normal(size=leaf.shape).astype(np.float32)
              for kind, leaf in held.items()}
       for name, held in layers(0.0).items()},
      PixelStats(draw.normal(size=(9, 9, 3)), np.eye(3), np.ones(3)),
      ('cat', 'dög', 'tench, Tinca tinca'))
  weights.save(str(path), given)
  return given


def test_what_is_written_is_read_again(tmp_path):
  path = tmp_path / 'new_folder' / 'weights.npz'
  given, read = written(path), weights.load(str(path))
  assert read.class_names == given.class_names
  for ours, theirs in zip(read.input_stats, given.input_stats, strict=True):
    np.testing.assert_array_equal(ours, theirs)
  assert list(read.layers) == list(SHAPES)  # from bottom to top
  for name, held in given.layers.items():
    for kind, leaf in held.items():
      np.testing.assert_array_equal(read.layers[name][kind], leaf)
  assert [file.name for file in path.parent.iterdir()] == ['weights.npz']


def test_numpy_alone_finds_a_layer_by_its_name(tmp_path):
  given = written(tmp_path / 'weights.npz')
  with np.load(tmp_path / 'weights.npz') as file:
    np.testing.assert_array_equal(
        file['conv1/kernel'], given.layers['conv1']['kernel'])


def test_a_save_that_breaks_off_leaves_the_old_file(tmp_path, monkeypatch):
  path = tmp_path / 'weights.npz'
  given = written(path)

  def breaks_off(file, **arrays):
    file.write(b'half of')
    raise KeyboardInterrupt

  monkeypatch.setattr(np, 'savez', breaks_off)
  with pytest.raises(KeyboardInterrupt):
    weights.save(str(path), given)
  assert weights.load(str(path)).class_names == given.class_names


def test_a_safetensors_file_keeps_the_order_of_the_layers(tmp_path):
  path = str(tmp_path / 'a.safetensors')
  below = layers(0.0, bottleneck=(2, 8, 8))
  weights.save(path, Weights(
      below, PixelStats(np.zeros((9, 9, 3)), np.eye(3), np.ones(3)),
      ('cat', 'dog'), {'layers': list(below)}))
  assert list(weights.load(path).layers) == [*SHAPES, 'bottleneck']
  assert weights.load(path).card == {'layers': list(below)}


def not_weights(path, kind):
  match kind:
    case 'empty':
      path.write_bytes(b'')
    case 'text':
      path.write_text('no numbers at all')
    case 'one array':
      with open(path, 'wb') as file:
        np.save(file, np.ones(3))
    case 'other arrays':
      np.savez(path, a=np.ones(3))
    case 'cut short':
      written(path)
      path.write_bytes(path.read_bytes()[:-100])
    case 'changed on disk':
      written(path)
      data = bytearray(path.read_bytes())
      data[2000] ^= 1
      path.write_bytes(data)
    case 'statistics of another shape':
      written(path)
      np.savez(path, **dict(np.load(path)) | {'pixels/mean': np.ones(3)})
    case 'words for numbers':
      written(path)
      np.savez(path, **dict(np.load(path)) | {'conv1/bias': np.array(['a'])})
    case 'a card that is a list':
      written(path)
      np.savez(path, **dict(np.load(path)) | {'card': np.array('[]')})
    case 'objects to unpickle':
      written(path)
      arrays = dict(np.load(path)) | {'conv1/bias': np.array([{}], object)}
      np.savez(path, **arrays)
    case 'a name without its layer':
      written(path)
      np.savez(path, kernel=np.ones(3), **np.load(path))


@pytest.mark.parametrize('kind', [
    'empty', 'text', 'one array', 'other arrays', 'cut short',
    'changed on disk', 'a name without its layer', 'words for numbers',
    'statistics of another shape', 'a card that is a list',
    'objects to unpickle'])
def test_a_file_that_holds_no_weights_is_refused(tmp_path, kind):
  path = tmp_path / 'weights.npz'
  not_weights(path, kind)
  with pytest.raises(InputError, match='weights.npz cannot be read as weights:'
                     ' give a file that --task=export wrote'):
    weights.load(str(path))


@pytest.mark.parametrize('change', ['short', 'text', 'foreign', 'long header'])
def test_a_safetensors_file_that_holds_no_weights_is_refused(tmp_path, change):
  path = tmp_path / 'a.safetensors'
  written(path)
  data = path.read_bytes()
  path.write_bytes({
      'short': data[:-100], 'text': b'no numbers', 'long header': (
          b'\xff' * 8 + data[8:]),
      'foreign': safetensors.numpy.save({'a': np.ones(3)})}[change])
  with pytest.raises(InputError, match='a.safetensors cannot be read as'
                     ' weights: give a file that --task=export wrote'):
    weights.load(str(path))


def test_a_file_that_unpacks_to_more_than_the_memory_is_refused(
    tmp_path, monkeypatch):
  written(tmp_path / 'weights.npz')
  monkeypatch.setattr(machine, 'memory', lambda: 1000)
  with pytest.raises(InputError, match='weights.npz unpacks to .* more than the'
                     ' memory'):
    weights.load(str(tmp_path / 'weights.npz'))


def test_a_folder_is_no_weights_file(tmp_path):
  with pytest.raises(InputError, match='is not a file'):
    weights.load(str(tmp_path))


def same_weights(ours, theirs):
  return ours.class_names == theirs.class_names and all(
      np.array_equal(a, b) for a, b in zip(
          jax.tree.leaves((ours.layers, ours.input_stats)),
          jax.tree.leaves((theirs.layers, theirs.input_stats)), strict=True))


@pytest.mark.parametrize('compressed', [False, True])
def test_a_bit_of_the_file_is_found_or_harmless(tmp_path, compressed):
  path = tmp_path / 'weights.npz'
  written(path)
  if compressed:
    with np.load(path) as file:
      np.savez_compressed(path, **dict(file))
  content, whole = path.read_bytes(), weights.load(str(path))
  found = 0
  for i in (*range(0, len(content), len(content) // 100),
            *range(len(content) - 300, len(content), 3)):
    damaged = bytearray(content)
    damaged[i] ^= 1 << i % 8
    path.write_bytes(damaged)
    try:
      assert same_weights(weights.load(str(path)), whole), i
    except InputError:
      found += 1
  assert found > 90


def test_all_but_the_softmax_layer_is_taken_for_other_classes():
  fitted = weights.match(layers(0.0), layers(7.0), same_classes=False)
  assert values(fitted) == {'conv1': 7, 'conv2': 7, 'fc6': 7, 'fc8': 0}
  assert weights.summary(fitted, 'X') == (
      'Took conv1 to fc6 from X; fc8 is new (its classes are different).')


def test_all_is_taken_for_the_same_classes():
  fitted = weights.match(layers(0.0), layers(7.0), same_classes=True)
  assert values(fitted) == dict.fromkeys(SHAPES, 7)
  assert weights.summary(fitted, 'X') == 'Took conv1 to fc8 from X.'


def test_another_number_of_classes_is_told():
  fitted = weights.match(layers(0.0, fc8=(16, 2)), layers(7.0), False)
  assert weights.summary(fitted, 'X').endswith(
      'fc8 is new (3 classes there, 2 here).')


def test_what_stands_above_a_new_layer_is_new_too():
  # conv2 has other shapes; fc6 would fit, but reads conv2.
  fitted = weights.match(layers(0.0, conv2=(2, 3, 3, 4, 4)), layers(7.0), True)
  assert values(fitted) == {'conv1': 7, 'conv2': 0, 'fc6': 0, 'fc8': 0}
  assert weights.summary(fitted, 'X') == (
      'Took conv1 from X; conv2 to fc8 are new (conv2/kernel is'
      ' (2, 5, 5, 4, 4) there, (2, 3, 3, 4, 4) here).')


def test_a_layer_put_in_between_is_new_and_all_above_it():
  with_conv3 = inserted('conv3', (2, 3, 3, 4, 4), 'fc6')
  fitted = weights.match(with_conv3, layers(0.0), same_classes=True)
  assert fitted.taken == ['conv1', 'conv2']
  assert fitted.new == ['conv3', 'fc6', 'fc8']
  assert fitted.reason == 'it has no conv3'


def test_a_layer_left_out_makes_all_above_it_new():
  with_bottleneck = inserted('bottleneck', (2, 16, 8), 'fc8')
  fitted = weights.match(layers(0.0), with_bottleneck, same_classes=True)
  assert fitted.new == ['fc8']
  assert fitted.reason == 'it has bottleneck below it'


def test_nothing_is_taken_when_the_first_layer_differs():
  fitted = weights.match(
    layers(0.0, conv1=(1, 11, 11, 3, 8)), layers(7.0), True
  )
  assert not fitted.taken and set(values(fitted).values()) == {0}
  assert fitted.reason == (
      'conv1/kernel is (2, 11, 11, 3, 4) there, (1, 11, 11, 3, 8) here')
