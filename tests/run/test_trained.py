"""A network from a weights file and its card."""

import json

import numpy as np
import pytest

from alexnet_jax.errors import InputError
from alexnet_jax.run import weights
from alexnet_jax.run.trained import open_trained, open_weights
from alexnet_jax.tasks import export


@pytest.fixture(scope='module')
def exported(trained, tmp_path_factory):
  """A weights file and what is in it."""
  path = export.export(
      trained[1], out=str(tmp_path_factory.mktemp('exported') / 'a.npz'))
  return path, weights.load(path)


def changed(path, exported, card=None, **fields):
  """Writes the file again with another card or other fields of it."""
  read = exported[1]
  weights.save(str(path), read._replace(
      card=dict(read.card) | fields if card is None else card))
  return str(path)


def test_a_file_is_opened_as_the_network_it_was(exported, trained):
  ours, theirs = open_weights(exported[0]), open_trained(trained[1])
  assert ours.settings == theirs.settings
  assert (ours.step, ours.class_names) == (6, theirs.class_names)
  np.testing.assert_array_equal(ours.input_stats.mean, theirs.input_stats.mean)
  np.testing.assert_array_equal(
      ours.params['fc8']['kernel'], theirs.params['fc8']['kernel'])


def test_the_card_may_be_beside_a_file_of_an_older_version(
    exported, tmp_path):
  path = changed(tmp_path / 'old.npz', exported, card={})
  with pytest.raises(InputError, match='old.npz has no card that describes its'
                     ' network, and there is none in .*old.npz.json'):
    open_weights(path)
  for text, works in (('[1]', False), ('{', False),
                      (json.dumps(exported[1].card), True)):
    with open(path + '.json', 'w', encoding='utf-8') as file:
      file.write(text)
    if works:
      assert open_weights(path).step == 6
    else:
      with pytest.raises(InputError, match='there is none in'):
        open_weights(path)


def test_a_card_of_another_network_is_refused(exported, tmp_path):
  config = json.loads(json.dumps(exported[1].card['config']))
  config['model']['kernels'][1] = 8
  path = changed(tmp_path / 'a.npz', exported, config=config)
  with pytest.raises(InputError) as error:
    open_weights(path)
  assert str(error.value) == (
      f'the card of {path} and its arrays differ (columns/conv2/bias is (2, 8)'
      ' in the config and (2, 4) in the file): export it again from its'
      ' workdir.')
  config['model']['kernels'][1] = 4
  config['data']['image_size'] = 71
  path = changed(tmp_path / 'b.npz', exported, config=config)
  with pytest.raises(InputError, match='image_size is 71, and the mean image'
                     ' has 72 rows'):
    open_weights(path)


@pytest.mark.parametrize('fields', [
    {'config': None}, {'config': {'model': 3}}, {'config': 'paper'},
    {'step': 'many'}, {'config': {}}])
def test_a_card_that_is_nonsense_is_refused(fields, exported, tmp_path):
  path = changed(tmp_path / 'a.npz', exported, **fields)
  with pytest.raises(InputError, match='the card of .*a.npz describes no'
                     ' network of this version .*export it again') as error:
    open_weights(path)
  assert '\n' not in str(error.value)


def test_a_network_of_several_gpus_opens_on_one_processor(exported, tmp_path):
  config = json.loads(json.dumps(exported[1].card['config']))
  config['mesh'] |= {'data': 8, 'norm_and_pooling': 'triton'}
  path = changed(tmp_path / 'a.npz', exported, config=config)
  assert open_weights(path).step == 6
