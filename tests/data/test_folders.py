import os
import pickle
import shutil
import unicodedata

import numpy as np
import pytest

from alexnet_jax.data import decoding, images
from alexnet_jax.data.sources import open_source
from alexnet_jax.errors import InputError


def _open(path, split='train', **more):
  return open_source('folder', split, path=path, image_size=32, **more)


def _names(source, root):
  return [os.path.relpath(source.where(i), root) for i in range(len(source))]


def test_train_and_val_folders_are_the_splits(tree):
  root = tree('train/dog/1.jpg', 'train/cat/2.JPEG', 'train/cat/3.png',
              'val/dog/4.jpg', 'val/cat/5.jpg')
  train, validation = _open(root), _open(root, 'validation')
  assert train.class_names == validation.class_names == ('cat', 'dog')
  assert _names(train, root) == ['train/cat/2.JPEG', 'train/cat/3.png',
                                 'train/dog/1.jpg']
  assert _names(validation, root) == ['val/cat/5.jpg', 'val/dog/4.jpg']
  assert [int(train[i]['label']) for i in range(3)] == [0, 0, 1]
  with open(train.where(1), 'rb') as file:
    expected = images.square(decoding.decode(file.read()), 32)
  assert np.array_equal(train[1]['image'], expected)
  assert train[1]['image'].shape == (32, 32, 3)
  assert train[1]['label'].dtype == np.int32


def test_labels_of_val_follow_the_classes_of_train(tree):
  root = tree('train/a/1.jpg', 'train/b/1.jpg', 'train/c/1.jpg',
              'validation/c/1.jpg')
  validation = _open(root, 'validation')
  assert [int(validation[i]['label']) for i in range(len(validation))] == [2]


def test_test_is_the_validation_folder_where_there_is_no_other(tree):
  root = tree('train/a/1.jpg', 'train/b/1.jpg', 'test/b/1.jpg', 'test/a/1.jpg')
  assert _names(_open(root, 'validation'), root) == ['test/a/1.jpg',
                                                     'test/b/1.jpg']
  tree('train/a/1.jpg', 'train/b/1.jpg', 'val/a/9.jpg')
  assert _names(_open(root, 'validation'), root) == ['val/a/9.jpg']


def test_pictures_may_lie_deeper_as_in_tiny_imagenet(tree):
  root = tree('train/n01/images/n01_0.JPEG', 'train/n02/images/n02_0.JPEG')
  open(os.path.join(root, 'train/n01/n01_boxes.txt'), 'w').close()
  open(os.path.join(root, 'train/n01/._hidden.jpg'), 'w').close()
  tree('val/n01/images/val_0.JPEG', 'val/n02/images/val_1.JPEG')
  assert _names(_open(root), root) == ['train/n01/images/n01_0.JPEG',
                                       'train/n02/images/n02_0.JPEG']


def test_class_folders_alone_are_split_by_the_fraction(tree):
  root = tree(*(f'{name}/{i}.jpg' for name in 'ab' for i in range(200)))
  train = _names(_open(root, validation_fraction=0.25), root)
  validation = _names(_open(root, 'validation', validation_fraction=0.25),
                      root)
  assert not set(train) & set(validation)
  assert len(train) + len(validation) == 400
  assert 70 < len(validation) < 130


def test_a_train_folder_without_val_is_split_too(tree):
  root = tree(*(f'train/{name}/{i}.jpg' for name in 'ab' for i in range(9)))
  train, validation = _open(root), _open(root, 'validation')
  assert len(train) + len(validation) == 18
  assert {int(validation[i]['label']) for i in range(len(validation))} == {
      0, 1}


def test_adding_pictures_moves_no_other_between_splits(tree, tmp_path):
  root = tree(*(f'{name}/{i}.jpg' for name in 'ab' for i in range(60)))
  before = set(_names(_open(root, 'validation'), root))
  tree(*(f'{name}/new{i}.jpg' for name in 'abc' for i in range(60)))
  after = set(_names(_open(root, 'validation'), root))
  assert {name for name in after if 'new' not in name} == before
  moved = shutil.copytree(root, tmp_path / 'elsewhere')
  assert set(_names(_open(str(moved), 'validation'), moved)) == after


@pytest.mark.parametrize('fraction', [0.001, 0.999])
def test_a_class_of_two_or_more_is_in_both_splits(tree, fraction):
  root = tree('a/1.jpg', 'a/2.jpg', 'b/1.jpg', 'b/2.jpg', 'lone/1.jpg')
  splits = {split: _names(_open(root, split, validation_fraction=fraction),
                          root) for split in ('train', 'validation')}
  assert sorted(name[0] for name in splits['train']) == ['a', 'b', 'l']
  assert sorted(name[0] for name in splits['validation']) == ['a', 'b']


def test_a_folder_source_pickles(tree):
  source = _open(tree('a/1.jpg', 'b/1.jpg'))
  copy = pickle.loads(pickle.dumps(source))
  assert np.array_equal(copy[1]['image'], source[1]['image'])


def test_an_unreadable_picture_is_named(tree):
  root = tree('a/1.jpg', 'b/1.jpg')
  source = _open(root)
  with open(source.where(0), 'r+b') as file:
    file.truncate(300)
  with pytest.raises(InputError, match='cannot be read as a picture') as error:
    source[0]
  assert source.where(0) in str(error.value)
  os.remove(source.where(1))
  with pytest.raises(InputError) as error:
    source[1]
  assert str(error.value) == (
      f'{source.where(1)} cannot be read (No such file or directory); check '
      'that the file is still there and may be read.')


def test_a_missing_folder_says_which_layout_would_do(tmp_path):
  path = str(tmp_path / 'none')
  with pytest.raises(InputError) as error:
    _open(path)
  assert str(error.value) == (
      f"there is no folder '{path}'; point --config.data.path at a folder "
      'with train/CLASS/*.jpg and val/CLASS/*.jpg, or CLASS/*.jpg.')


def test_a_folder_without_class_folders_is_refused(tree):
  root = tree('1.jpg', '2.jpg')
  with pytest.raises(InputError) as error:
    _open(root)
  assert str(error.value) == (
      f"'{root}' has no class folders; put the pictures of each class in a "
      'folder of their own: train/CLASS/*.jpg and val/CLASS/*.jpg, or '
      'CLASS/*.jpg.')


def test_a_single_class_is_refused(tree):
  root = tree('train/cat/1.jpg')
  with pytest.raises(InputError) as error:
    _open(root)
  assert str(error.value) == (
      f"'{root}/train' has only one class folder, 'cat'; classification "
      'takes two or more: train/CLASS/*.jpg and val/CLASS/*.jpg, or '
      'CLASS/*.jpg.')


@pytest.mark.parametrize('split', ['train', 'validation'])
def test_an_empty_class_folder_is_named(tree, split):
  root = tree('a/1.jpg', 'b/1.jpg')
  os.makedirs(os.path.join(root, 'c'))
  with pytest.raises(InputError) as error:
    _open(root, split)
  assert str(error.value) == (
      f"the class folder '{root}/c' holds no pictures "
      f'({" ".join(decoding.EXTENSIONS)}); add some or remove the folder.')


def test_a_class_that_only_val_has_is_named(tree):
  root = tree('train/a/1.jpg', 'train/b/1.jpg', 'val/a/1.jpg', 'val/z/1.jpg')
  with pytest.raises(InputError) as error:
    _open(root, 'validation')
  assert str(error.value) == (
      f"'{root}/val' has a class 'z' that '{root}/train' lacks; give both "
      'the same class folders.')


def test_a_val_folder_without_classes_is_refused(tree):
  root = tree('train/a/1.jpg', 'train/b/1.jpg', 'val/1.jpg')
  with pytest.raises(InputError) as error:
    _open(root, 'validation')
  assert str(error.value) == (
      f"'{root}/val' has no class folders; give it the class folders of "
      f"'{root}/train', or remove it to have training pictures set aside.")


def test_accents_composed_or_apart_are_one_class(tree):
  root = tree('train/cafe\u0301/1.jpg', 'train/caf\u00e9/2.jpg',
              'train/b/1.jpg', 'val/caf\u00e9/3.jpg', 'val/b/4.jpg')
  train, validation = _open(root), _open(root, 'validation')
  assert train.class_names == validation.class_names == ('b', 'caf\u00e9')
  assert [int(train[i]['label']) for i in range(3)] == [0, 1, 1]
  assert [int(validation[i]['label']) for i in range(2)] == [0, 1]


def test_accents_composed_or_apart_are_split_alike(tree, tmp_path):
  splits = []
  for form in ('NFC', 'NFD'):
    names = [unicodedata.normalize(form, f'{name}/\u00e9{i}.jpg')
             for name in ('\u00e4', 'o') for i in range(30)]
    root = tree(*names)
    splits.append({unicodedata.normalize('NFC', name)
                   for name in _names(_open(root, 'validation'), root)})
    shutil.rmtree(root)
  assert splits[0] == splits[1] and 0 < len(splits[0]) < 60


def test_the_split_of_plain_names_is_that_of_earlier_versions(tree):
  root = tree(*(f'{name}/{i}.jpg' for name in 'ab' for i in range(20)))
  assert _names(_open(root, 'validation'), root) == [
      'a/1.jpg', 'b/13.jpg', 'b/15.jpg', 'b/5.jpg']


@pytest.mark.parametrize('name', [b'caf\xe9', b'\xff\xfe'])
def test_names_of_bytes_are_classes_and_pictures(tree, name):
  root = tree(*(f'{folder}/{i}.jpg' for folder in 'ab' for i in range(20)))
  os.rename(os.fsencode(root) + b'/a', os.fsencode(root) + b'/' + name)
  os.rename(os.fsencode(root) + b'/b/3.jpg',
            os.fsencode(root) + b'/b/' + name + b'.jpg')
  train, validation = _open(root), _open(root, 'validation')
  assert os.fsdecode(name) in train.class_names
  assert len(train) + len(validation) == 40
  assert train[len(train) - 1]['image'].shape == (32, 32, 3)


def test_hidden_copies_and_links_back_do_not_count(tree):
  root = tree(*(f'{name}/{i}.jpg' for name in 'ab' for i in range(9)),
              'a/.ipynb_checkpoints/0-checkpoint.jpg', 'b/@eaDir/0.jpg',
              '__MACOSX/a/0.jpg')
  os.symlink('..', f'{root}/a/up')
  train, validation = _open(root), _open(root, 'validation')
  assert train.class_names == ('a', 'b')
  assert len(train) + len(validation) == 18


def test_what_is_passed_over_is_counted_by_class(tree):
  root = tree('a/1.jpg', 'a/x.txt', 'a/deep/y.TXT', 'b/1.jpg', 'b/z',
              'loose.jpg')
  source = _open(root)
  assert source.passed_over == {'a': {'.txt': 2}, 'b': {'': 1}}
  assert [note.replace(root, 'ROOT') for note in source.notes][1:] == [
      'Not used, as they are in no class folder: 1 picture directly in ROOT.',
      'Passed over in ROOT, as they are no pictures: 2 .txt, 1 without ending.',
      '2 of 2 classes with a single picture, which is for training, so that'
      " none is left to validate with: 'a', 'b'."]


def test_how_many_are_set_aside_is_said(tree):
  root = tree(*(f'{name}/{i}.jpg' for name in 'ab' for i in range(10)))
  assert _open(root).notes == _open(root, 'validation').notes == (
      f'No folder for validation in {root}: 2 pictures set aside for it'
      ' (config.data.validation_fraction=0.1), 18 pictures left for training,'
      ' of 2 classes.',)


def test_classes_without_validation_pictures_are_said(tree):
  root = tree(*(f'train/{i}/1.jpg' for i in range(9)), 'val/3/1.jpg')
  assert _open(root, 'validation').notes[-1] == (
      "8 of 9 classes without validation pictures: '0', '1', '2' and 5 more.")


def test_an_empty_class_folder_says_what_it_has_instead(tree):
  root = tree('a/1.jpg', 'b/1.raw', 'b/2.raw', 'b/x')
  with pytest.raises(InputError, match='only 2 .raw, 1 without ending; add'):
    _open(root)


def test_a_class_of_dangling_links_says_so(tree):
  root = tree('a/1.jpg', 'b/1.jpg')
  os.remove(f'{root}/b/1.jpg')
  os.symlink('gone.jpg', f'{root}/b/1.jpg')
  with pytest.raises(InputError) as error:
    _open(root)
  assert str(error.value).endswith(
      f'or remove the folder. Passed over (link to no file): {root}/b/1.jpg.')


@pytest.mark.parametrize('fraction', [0, 1, 1.5])
def test_a_fraction_that_empties_a_split_is_refused(tree, fraction):
  root = tree('a/1.jpg', 'b/1.jpg')
  with pytest.raises(InputError) as error:
    _open(root, validation_fraction=fraction)
  assert str(error.value) == (
      f'config.data.validation_fraction={fraction} does not leave pictures '
      'for both splits; give a number between 0 and 1, such as 0.1.')
