"""First-layer kernels are found in files of any network, or asked for."""

import ml_dtypes
import numpy as np
import pytest
from published_files import caffemodel
from safetensors.numpy import save_file

from alexnet_jax.analysis import kernel_file
from alexnet_jax.errors import InputError

HWIO = np.random.default_rng(0).normal(size=(11, 11, 3, 8)).astype(np.float32)
OIHW, OHWI = HWIO.transpose(3, 2, 0, 1), HWIO.transpose(3, 0, 1, 2)
OURS = np.stack([HWIO, 2 * HWIO])
# What stands beside the kernels in files of other networks, and is none.
OTHERS = {
    'a bias': np.zeros(8), 'PyTorch 3x3': np.zeros((64, 64, 3, 3)),
    'Flax 3x3': np.zeros((3, 3, 64, 64)), 'full': np.zeros((9, 9)),
    'a mean image': np.zeros((72, 72, 3)), 'no kernels': OURS[..., :0],
    'not square': np.zeros((8, 3, 1, 7)), 'words': np.array(['a', 'b'])}


@pytest.fixture
def folder(tmp_path):
  return tmp_path


def saved(folder, arrays):
  np.savez(folder / 'net.npz', **arrays)
  return str(folder / 'net.npz')


def assert_read(given, kernels, name):
  found = kernel_file.read(given)
  assert found.name == name
  np.testing.assert_array_equal(found.kernels, kernels)


@pytest.mark.parametrize('array', [HWIO, OIHW, OHWI])
def test_every_layout_gives_the_same_kernels(array, folder):
  np.save(folder / 'one.npy', array)
  assert_read(str(folder / 'one.npy'), HWIO[None], '')
  assert_read(saved(folder, OTHERS | {'x.weight': array}), HWIO[None],
              'x.weight')
  save_file({'x.weight': np.ascontiguousarray(array), 'b': np.zeros(3)},
            folder / 'one.safetensors')
  assert_read(str(folder / 'one.safetensors'), HWIO[None], 'x.weight')


def test_columns_stay_columns(folder):
  assert_read(saved(folder, OTHERS | {'first': OURS}), OURS, 'first')


def test_an_array_is_chosen_by_its_name(folder):
  path = saved(folder, {'a': HWIO, 'b/kernel': OURS})
  assert_read(f'{path}:b/kernel', OURS, 'b/kernel')
  assert_read(f'{path}:a', HWIO[None], 'a')


def test_conv1_is_the_first_layer_where_others_would_do(folder):
  arrays = {'conv2/kernel': np.zeros((2, 5, 5, 3, 6)), 'conv1/kernel': OURS}
  assert_read(saved(folder, arrays), OURS, 'conv1/kernel')


def test_half_precision_is_read(folder):
  save_file({'w': np.ascontiguousarray(OIHW.astype(ml_dtypes.bfloat16))},
            folder / 'half.safetensors')
  found = kernel_file.read(str(folder / 'half.safetensors'))
  np.testing.assert_allclose(found.kernels[0], HWIO, rtol=0.01)


def test_a_file_may_have_a_colon_in_its_name(folder):
  np.save(folder / 'a:b.npy', HWIO)
  assert_read(str(folder / 'a:b.npy'), HWIO[None], '')


def test_a_small_layer_of_colors_is_told_from_what_looks_like_it():
  assert kernel_file.layouts((3, 3, 3, 64)) == ['[h, w, 3, N]']
  assert kernel_file.layouts((64, 3, 3, 3)) == ['[N, 3, h, w]', '[N, h, w, 3]']
  assert kernel_file.layouts((2, 5, 5, 3, 4)) == ['[K, h, w, 3, C]']


def refusal(given):
  with pytest.raises(InputError) as refused:
    kernel_file.read(given)
  sentence = str(refused.value)
  assert '\n' not in sentence
  return sentence


def test_a_file_that_is_not_there_is_refused(folder):
  for given in (f'{folder}/none.npz', f'{folder}/none.npz:a', str(folder)):
    assert 'there is no file' in refusal(given)


def test_another_kind_of_file_is_refused(folder):
  (folder / 'alexnet.pth').write_bytes(b'')
  said = refusal(str(folder / 'alexnet.pth'))
  assert '.npz, .npy, .safetensors' in said and 'save_file' in said


@pytest.mark.parametrize('ending', kernel_file.FORMATS)
@pytest.mark.parametrize('content', [b'', b'no numbers at all'])
def test_a_file_that_cannot_be_read_is_refused(ending, content, folder):
  path = folder / f'broken{ending}'
  path.write_bytes(content)
  assert f'broken{ending} cannot be read as an {ending} file' in refusal(
      str(path))


def test_a_file_that_was_cut_short_is_refused(folder):
  path = folder / 'net.npz'
  whole = saved(folder, {'a': HWIO})
  path.write_bytes(path.read_bytes()[:-100])
  assert 'cannot be read' in refusal(whole)


def test_a_file_without_kernels_is_refused_with_what_it_has(folder):
  said = refusal(saved(folder, OTHERS))
  assert 'a bias [8], PyTorch 3x3 [64, 64, 3, 3]' in said
  assert '[N, 3, h, w]' in said
  many = {f'layer{i}': np.zeros(3) for i in range(40)}
  assert 'layer11 [3] and 28 more:' in refusal(saved(folder, many))
  assert 'only nothing' in refusal(saved(folder, {}))


def test_one_of_several_arrays_has_to_be_chosen(folder):
  path = saved(folder, {'left': HWIO, 'right': OIHW, **OTHERS})
  assert refusal(path) == (
      f'{path} has several arrays that may be first-layer kernels, left'
      ' [11, 11, 3, 8], right [8, 3, 11, 11]: give --kernels='
      f'{path}:NAME.')


def test_a_name_that_is_not_there_is_refused_with_those_that_are(folder):
  path = saved(folder, {'left': HWIO})
  assert "no array 'lefd' but left [11, 11, 3, 8]" in refusal(f'{path}:lefd')


def test_a_name_of_no_kernels_is_refused(folder):
  path = saved(folder, OTHERS)
  assert f'{path}:full is [9, 9], no kernels' in refusal(f'{path}:full')


def test_a_layout_that_could_be_two_is_refused(folder):
  np.save(folder / 'vgg.npy', np.zeros((64, 3, 3, 3)))
  assert ('vgg.npy, [64, 3, 3, 3], could be [N, 3, h, w] or [N, h, w, 3]: save'
          ' it as [h, w, 3, N]') in refusal(str(folder / 'vgg.npy'))


# --- Other networks -----------------------------------------------------------


def test_a_caffemodel_is_turned_from_bgr(folder):
  layers = {'conv1': (OIHW, np.zeros(8, np.float32)),
            'fc6': (np.zeros((4, 9), np.float32),)}
  (folder / 'net.caffemodel').write_bytes(caffemodel(layers))
  assert_read(str(folder / 'net.caffemodel'), HWIO[None, ..., ::-1, :],
              'conv1/0')
  found = kernel_file.read(str(folder / 'net.caffemodel'), order='rgb')
  np.testing.assert_array_equal(found.kernels, HWIO[None])


def test_the_order_of_colors_can_be_given(folder):
  path = saved(folder, {'left': HWIO})
  found = kernel_file.read(path, order='bgr')
  np.testing.assert_array_equal(found.kernels, HWIO[None, ..., ::-1, :])


@pytest.mark.parametrize('layout, axes', [
    ('HWIO', (0, 1, 2, 3)), ('OIHW', (3, 2, 0, 1)), ('OHWI', (3, 0, 1, 2))])
def test_a_layout_that_could_be_two_can_be_given(layout, axes, folder):
  kernels = np.random.default_rng(1).normal(size=(3, 3, 3, 64))
  np.save(folder / 'vgg.npy', kernels.transpose(axes))
  found = kernel_file.read(str(folder / 'vgg.npy'), layout)
  np.testing.assert_array_equal(found.kernels, kernels[None])


def test_a_layout_that_the_array_does_not_have_is_refused(folder):
  np.save(folder / 'one.npy', OIHW)
  with pytest.raises(InputError, match='as HWIO: leave --layout out'):
    kernel_file.read(str(folder / 'one.npy'), 'HWIO')
  np.save(folder / 'vgg.npy', np.zeros((64, 3, 3, 3)))
  assert refusal(str(folder / 'vgg.npy')).endswith(
      'add --layout=OIHW or --layout=OHWI.')


def test_an_array_of_both_columns_is_divided():
  stacked = np.concatenate(OURS, axis=-1)[None]
  np.testing.assert_array_equal(
      kernel_file.in_columns(stacked, 2, 'X'), OURS)
  assert kernel_file.in_columns(stacked, 0, 'X') is stacked
  assert kernel_file.in_columns(OURS, 2, 'X') is OURS
  for columns, kernels, reason in (
      (3, stacked, 'does not divide the 16 kernels of X'),
      (-1, stacked, 'does not divide'), (4, OURS, 'X has 2 columns already')):
    with pytest.raises(InputError, match=reason):
      kernel_file.in_columns(kernels, columns, 'X')
