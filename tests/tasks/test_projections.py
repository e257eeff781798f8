"""--task=projections: a trained network, its pictures and their numbers."""

import json
import os

import cv2
import jax
import numpy as np
import pytest
import tiny

from alexnet_jax.analysis import projected_maps, projection
from alexnet_jax.errors import InputError
from alexnet_jax.figures import projections as projections_picture
from alexnet_jax.figures.projections import NINE, Block
from alexnet_jax.run import trained as trained_network
from alexnet_jax.tasks import projections

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def drawn(trained, tmp_path_factory):
  """(folder, the numbers) of two layers."""
  folder = tmp_path_factory.mktemp('drawn') / 'new'
  return folder, projections.projections(
      trained[1], layers='conv4, conv1', out=str(folder))


@pytest.fixture(scope='module')
def maps(trained):
  """{layer: [24, H, W, maps]} of all validation images at once."""
  found = trained_network.open_trained(trained[1])
  source = trained_network.open_split(found, 'validation')
  images = np.stack([source[i]['image'] for i in range(24)]).astype(np.float32)
  patches = (images - np.asarray(found.input_stats.mean))[:, 4:68, 4:68]
  see = jax.jit(lambda params, patches: projection.activations(
      found.model.layers, params, patches, ('conv1', 'conv4')))
  return see(found.params['columns'], patches)


def picture(folder, name):
  return cv2.imread(str(folder / f'{name}.png'))


def test_every_layer_has_a_picture_and_the_numbers_lie_beside_them(drawn):
  folder, numbers = drawn
  assert sorted(os.listdir(folder)) == [
      'conv1.png', 'conv4.png', 'projections.json']
  with open(folder / 'projections.json', encoding='utf-8') as file:
    assert json.load(file) == json.loads(json.dumps(numbers))
  assert list(numbers['layers']) == ['conv1', 'conv4']
  for name in ('conv1', 'conv4'):
    height, width, _ = picture(folder, name).shape
    assert width == 2100 and 2000 < height < 2600  # eight blocks, two in a row
    # Photographs and projections fill most of the page.
    assert (picture(folder, name) < 250).any(-1).mean() > 0.6


@pytest.mark.parametrize('name', ['conv1', 'conv4'])
def test_the_units_are_the_strongest_of_all_images(drawn, maps, name):
  _, numbers = drawn
  for told in numbers['layers'][name]['maps']:
    own = np.asarray(maps[name])[..., told['map'] - 1]
    largest = own.max((1, 2))
    expected = [i for i in np.argsort(-largest)[:9] if largest[i] > 0]
    assert [unit['image'] for unit in told['units']] == expected
    for unit in told['units']:
      y, x = unit['place']
      np.testing.assert_allclose(unit['activation'], largest[unit['image']],
                                 rtol=1e-4)
      np.testing.assert_allclose(own[unit['image'], y, x], unit['activation'],
                                 rtol=1e-4)


def test_both_columns_show_their_maps(drawn):
  _, numbers = drawn
  conv1, conv4 = (numbers['layers'][name]['maps'] for name in ('conv1',
                                                               'conv4'))
  assert [told['map'] for told in conv1] == list(range(1, 9))
  assert [told['column'] for told in conv1] == [1] * 4 + [2] * 4
  for column, own in ((1, conv4[:4]), (2, conv4[4:])):
    assert {told['column'] for told in own} == {column}
    assert all(0 < told['map'] - 6 * (column - 1) <= 6 for told in own)


def test_another_folder_of_pictures_and_chosen_maps(trained, tmp_path):
  photos = tiny.write_photos(tmp_path / 'photos')
  numbers = projections.projections(
      trained[1], data=photos, layers='conv2', maps='7,2,',
      out=str(tmp_path / 'out'))
  told = numbers['layers']['conv2']['maps']
  assert [one['map'] for one in told] == [7, 2]
  assert [one['column'] for one in told] == [2, 1]
  assert numbers['images'] == 8
  for one in told:
    for unit in one['units']:
      assert unit['where'].startswith(f'{photos}/val/{unit["class"]}')


# --- The picture --------------------------------------------------------------


def test_zero_is_grey_and_the_largest_values_are_black_or_white():
  signs = np.zeros((64, 64, 3))
  signs[:8], signs[8:16] = -2, 2
  gray = projections_picture.around_grey(signs)
  assert (gray[:8] == 0).all() and (gray[8:16] == 255).all()
  assert np.isin(gray[16:], (127, 128)).all()
  nothing = projections_picture.around_grey(np.zeros((8, 8, 3)))
  assert np.isin(nothing, (127, 128)).all()


def test_tiles_stand_in_reading_order_and_one_alone_fills_the_square():
  tiles = [np.full((11, 11, 3), 20 * i, np.uint8) for i in range(8)]
  whole = projections_picture.square(tiles)
  assert whole.shape == (NINE, NINE, 3)
  centres = whole[NINE // 6::NINE // 3, NINE // 6::NINE // 3, 0]
  np.testing.assert_array_equal(
      centres.ravel(), [*range(0, 160, 20), 255])  # no ninth: white
  alone = projections_picture.square([tiles[3]])
  assert (alone[3:-3, 3:-3] == 60).all()


@pytest.mark.parametrize('count', [1, 3, 20])
def test_any_number_of_maps_finds_room(tmp_path, count):
  tile = np.zeros((5, 5, 3), np.uint8)
  blocks = [Block(f'map {i}', [tile - 1.0], [tile] * 9) for i in range(count)]
  blocks[-1] = Block('map 20: silent', [], [])
  projections_picture.draw('conv1', blocks, str(tmp_path / 'x.png'))
  drawn = cv2.imread(str(tmp_path / 'x.png'))
  assert drawn.shape[1] == 2100
  black = (drawn == 0).all(-1).mean()
  # Blocks fill the places that they have: 1, 2 x 2 and 5 x 4.
  share = (count - 1) / {1: 1, 3: 4, 20: 20}[count]
  assert 0.6 * share <= black <= max(share, 0.01)


# --- What cannot work ---------------------------------------------------------


@pytest.mark.parametrize('given, parts', [
    ({'maps': 'x'}, ['--maps=x', 'such as 3,17,40']),
    ({'maps': '0'}, ['--maps=0 ', 'give 8']),
    ({'maps': '3,,4'}, ['--maps=3,,4', 'give 8']),
    ({'maps': ''}, ['--maps= ', 'give 8']),
    ({'maps': '65'}, ['--maps=65', '64 at most']),
    ({'maps': '3,9'}, ['--maps names 9', 'conv1 has 8 maps', '1 to 8']),
    ({'layers': 'conv9'}, ['conv9, which this network does not have',
                           'conv1,conv2,conv3,conv4,conv5']),
    ({'layers': 'conv1,fc6'}, ['fc6, whose units have no place',
                               'conv1,conv2,conv3,conv4,conv5']),
    ({'layers': 'fc8'}, ['fc8, whose units have no place']),
    ({'layers': ','}, ['--layers=, names no layer', 'conv1,conv2']),
    ({'out': '{file}'}, ['{file} is a file', 'give a folder']),
    ({'out': '{file}/in'}, ['{file} is a file', 'give a folder']),
    ({'out': 'conv1.png'}, ['--out=conv1.png is a picture', 'give a folder']),
    ({'data': '{file}/none'}, ['{file}/none', 'no folder']),
])
def test_what_cannot_work_is_said_before_images_are_read(
    trained, tmp_path, monkeypatch, given, parts):
  monkeypatch.setattr(projected_maps, 'search', None)
  file = tmp_path / 'file'
  file.touch()
  given = {name: value.format(file=file) for name, value in given.items()}
  with pytest.raises(InputError) as caught:
    projections.projections(trained[1], **given)
  for part in parts:
    assert part.format(file=file) in str(caught.value)
