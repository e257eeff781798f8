"""The mean image of another program, RGB over the whole stored square."""

import numpy as np
import pytest
from published_files import blob

from alexnet_jax.errors import InputError
from alexnet_jax.run import mean_image

SIZE, CROP = 8, 6
RGB = np.random.default_rng(0).uniform(90, 130, (SIZE, SIZE, 3)).astype('f')
BGR = np.ascontiguousarray(RGB[..., ::-1].transpose(2, 0, 1))


def read(path, order='bgr'):
  return mean_image.read(str(path), SIZE, CROP, order)


def test_a_binaryproto_of_caffe_is_turned_around(tmp_path):
  for legacy in (False, True):
    (tmp_path / 'm.binaryproto').write_bytes(blob(BGR[None], legacy))
    np.testing.assert_array_equal(read(tmp_path / 'm.binaryproto'), RGB)


@pytest.mark.parametrize('array', [BGR, BGR[None], BGR.reshape(1, -1),
                                   BGR.reshape(-1), BGR.transpose(1, 2, 0)])
def test_an_array_of_any_layout_gives_the_same_image(array, tmp_path):
  np.save(tmp_path / 'm.npy', array)
  np.testing.assert_array_equal(read(tmp_path / 'm.npy'), RGB)
  np.testing.assert_array_equal(read(tmp_path / 'm.npy', 'rgb'),
                                RGB[..., ::-1])


def test_three_numbers_fill_the_image(tmp_path):
  np.save(tmp_path / 'm.npy', [104.0, 117.0, 123.0])
  assert (read(tmp_path / 'm.npy') == (123, 117, 104)).all()
  assert read(tmp_path / 'm.npy').shape == (SIZE, SIZE, 3)


def test_a_mean_of_the_size_of_a_crop_is_in_the_center(tmp_path):
  np.save(tmp_path / 'm.npy', BGR[:, 1:7, 1:7])
  np.testing.assert_array_equal(
      read(tmp_path / 'm.npy')[1:7, 1:7], RGB[1:7, 1:7])


@pytest.mark.parametrize('array, reason', [
    (np.zeros((3, 9, 9)), 'no mean image of 8 or 6'),
    (np.zeros((3, 8, 8), 'U1'), 'no mean image'), (BGR - 100, '0..255'),
    (BGR * np.nan, '0..255'), (BGR * 3, '0..255'), (BGR / 255, 'by 255'),
    (np.float32(3), 'no mean image')])
def test_what_is_no_mean_image_is_refused(array, reason, tmp_path):
  np.save(tmp_path / 'm.npy', array)
  with pytest.raises(InputError, match=reason):
    read(tmp_path / 'm.npy')


def test_a_damaged_file_is_refused(tmp_path):
  (tmp_path / 'm.binaryproto').write_bytes(blob(BGR)[:-5])
  with pytest.raises(InputError, match=r'm.binaryproto cannot be read'):
    read(tmp_path / 'm.binaryproto')
  with pytest.raises(InputError, match='does not exist'):
    read(tmp_path / 'none.binaryproto')
  np.savez(tmp_path / 'two.npz', a=BGR, b=BGR)
  with pytest.raises(InputError, match='2 arrays, not one'):
    read(tmp_path / 'two.npz')
