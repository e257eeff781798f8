import os

import numpy as np
import pytest

from alexnet_jax.data.sources import Subset, open_source
from alexnet_jax.errors import InputError


def test_limit_keeps_examples_spread_evenly(tree):
  root = tree(*(f'train/{c}/{i}.jpg' for c in 'abcd' for i in range(5)))
  source = open_source('folder', 'validation', path=root, image_size=16,
                       validation_fraction=0.999)
  few = open_source('folder', 'validation', path=root, image_size=16,
                    validation_fraction=0.999, limit=4)
  assert len(few) == 4
  assert [int(few[i]['label']) for i in range(4)] == [0, 1, 2, 3]
  assert few.where(3) in [source.where(i) for i in range(len(source))]
  with pytest.raises(IndexError):
    few[4]


def test_a_limit_above_the_length_keeps_all(tree):
  root = tree('train/a/1.jpg', 'train/b/1.jpg', 'val/a/1.jpg', 'val/b/2.jpg')
  source = open_source('folder', 'train', path=root, image_size=16, limit=9)
  assert len(source) == 2
  assert len(Subset(source, 9)) == 2


def test_limit_is_the_length_of_the_procedural_data_set():
  assert len(open_source('procedural', 'train', limit=20000)) == 20000
  source = open_source('procedural', 'validation', image_size=20, limit=7)
  assert len(source) == 7
  assert source[6]['image'].shape == (20, 20, 3)


def test_the_home_folder_may_be_written_as_a_tilde(tree, monkeypatch):
  root = tree('a/1.jpg', 'b/1.jpg')
  monkeypatch.setenv('HOME', os.path.dirname(root))
  source = open_source('folder', 'train', path='~/photos', image_size=16)
  assert source[0]['label'] == np.int32(0)


@pytest.mark.parametrize('arguments, sentence', [
    ({'name': 'imagenet', 'split': 'train'},
     "there is no data set 'imagenet'; set --config.data.name to "
     'imagenet2012 or imagenet2010.'),
    ({'name': 'qqq', 'split': 'train'},
     "there is no data set 'qqq'; set --config.data.name to procedural or "
     'folder or records or imagenet2010 or imagenet2012 or cifar10 or mnist or '
     'digits.'),
    ({'name': 'procedural', 'split': 'test'},
     "there is no split 'test'; the splits are train and validation."),
    ({'name': 'folder', 'split': 'train'},
     "the data set 'folder' needs a path; set --config.data.path to the "
     'folder that holds it.'),
    ({'name': 'procedural', 'split': 'train', 'image_size': 0},
     '--config.data.image_size=0 is not a size in pixels; give 1 or more, '
     'such as 256.'),
    ({'name': 'procedural', 'split': 'train', 'limit': -1},
     '--config.data.train_examples=-1 is negative; give the number of examples '
     'to keep, or 0 for all.')])
def test_arguments_that_cannot_work_are_answered(arguments, sentence):
  with pytest.raises(InputError) as error:
    open_source(**arguments)
  assert str(error.value) == sentence
