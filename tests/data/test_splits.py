"""Folders of splits, by any name that people give them."""

import os

import pytest

from alexnet_jax.data.sources import open_source
from alexnet_jax.data.splits import split_of
from alexnet_jax.errors import InputError

CLASSES = ('cat', 'dog')


@pytest.fixture
def data(tree):
  """A function that fills folders with two classes; the root's path."""

  def fill(*folders, more=()):
    return tree(*(f'{folder}/{name}/{i}.jpg' for folder in folders
                  for name in CLASSES for i in range(2)), *more)

  return fill


def split_folders(root):
  """{split: the folder whose class folders its pictures are in}."""
  folders = {}
  for split in ('train', 'validation', 'test'):
    source = open_source('folder', split, path=root, image_size=8)
    assert source.class_names == CLASSES and len(source) == 4
    (folders[split],) = {
        os.path.relpath(os.path.dirname(os.path.dirname(source.where(i))), root)
        for i in range(len(source))}
  return folders


def refusal(root, split='train', **more):
  with pytest.raises(InputError) as error:
    open_source('folder', split, path=root, image_size=8, **more)
  assert '\n' not in str(error.value)
  return str(error.value).replace(root, 'ROOT')


def notes(root, split='train'):
  source = open_source('folder', split, path=root, image_size=8)
  return [note.replace(root, 'ROOT') for note in source.notes]


@pytest.mark.parametrize('split, names', [
    ('train', 'train Train TRAIN training Training train_set trainset TrainSet'
              ' Train-Set seg_train train_images images_train training_data'
              ' train2017 ILSVRC2012_img_train train.data trn'),
    ('validation', 'val Val valid VALID validation Validation valid_set'
                   ' validation_data val_images val2017 dev Dev devset eval'
                   ' ILSVRC2012_img_val'),
    ('test', 'test Test testing TESTING test_set testset seg_test test_images'
             ' Testing_Set test1')])
def test_usual_names_of_splits(split, names):
  with_spaces = [name.replace('_', ' ') for name in names.split()]
  assert {split_of(name) for name in names.split() + with_spaces} == {split}


@pytest.mark.parametrize('name', [
    'cat', 'trains', 'express_train', 'trainers', 'tester', 'contest', 'value',
    'valley', 'invalid', 'device', 'images', 'data', 'train_test', 'testament',
    'test_tube', 'seg_pred', '', '2017'])
def test_other_names_are_no_splits(name):
  assert split_of(name) is None


@pytest.mark.parametrize('train, validation, test', [
    ('train', 'val', 'test'), ('Training', 'Validation', 'Testing'),
    ('train_set', 'valid_set', 'test_set'), ('TRAIN', 'DEV', 'TEST'),
    ('fruits_train', 'fruits_val', 'fruits_test'),
    ('seg_train/seg_train', 'seg_val/seg_val', 'seg_test/seg_test'),
    ('archive/train', 'archive/valid', 'archive/test'),
    ('a/b/Train', 'a/b/Val', 'a/b/Test'),
    ('train/images', 'val/images', 'test/images')])
def test_three_splits_are_found(train, validation, test, data):
  root = data(train, validation, test)
  assert split_folders(root) == {
      'train': train, 'validation': validation, 'test': test}


def test_what_each_folder_became_is_said(data):
  root = data('Training', 'valid', 'test', more=['extra/1.jpg'])
  assert notes(root) == [
      "Not used, as their names are no splits: the folders 'extra' in ROOT.",
      'train: 4 pictures of 2 classes in ROOT/Training.',
      'test: 4 pictures in ROOT/test, for --task=evaluate --split=test only.']
  assert notes(root, 'validation') == [
      'validation: 4 pictures of 2 classes in ROOT/valid.']


def test_test_pictures_validate_only_where_there_are_no_others(data):
  root = data('train', 'test')
  assert split_folders(root)['validation'] == 'test'
  assert ('There is no validation folder, so the test pictures in ROOT/test are'
          ' used for validation.') in notes(root)
  data('val')
  assert split_folders(root)['validation'] == 'val'
  assert not any('no validation folder' in note for note in notes(root))


def test_test_pictures_without_labels_are_not_used_and_said(data):
  root = data('train', more=['test/1.jpg', 'test/2.jpg'])
  source = open_source('folder', 'validation', path=root)
  assert {source.where(i).split('/')[-3] for i in range(len(source))} == {
      'train'}
  assert notes(root)[0] == (
      'Not used, as they have neither class folders nor labels: the pictures in'
      ' ROOT/test.')
  assert refusal(root, 'test') == (
      "'ROOT/test' has no folders named like the classes of 'ROOT/train'; name"
      ' them so, or give a list of labels as --config.data.labels.')


def test_a_split_test_that_is_not_there_is_refused(data):
  assert refusal(data('train', 'val'), 'test') == (
      "'ROOT' has no test pictures; add a folder named test, or give a folder"
      ' of pictures as --data.')


@pytest.mark.parametrize('folders, split', [
    (('train', 'training'), 'train'), (('Train', 'train'), 'train'),
    (('train', 'val', 'dev'), 'validation'),
    (('train', 'test', 'test_set'), 'test')])
def test_two_folders_for_one_split_are_refused(folders, split, data):
  *_, one, other = sorted(folders, key=lambda name: split_of(name) == split)
  one, other = sorted((one, other))
  assert refusal(data(*folders)) == (
      f"'ROOT' has 2 folders for the split {split}, '{one}', '{other}'; keep"
      ' one of them there.')


def test_an_empty_folder_is_no_second_split(data):
  root = data('train', 'val')
  os.makedirs(f'{root}/validation')
  assert len(open_source('folder', 'validation', path=root)) == 4
  assert "'validation' in ROOT" in notes(root)[0]


@pytest.mark.parametrize('folders', [
    ('val', 'test'), ('Testing',), ('dev', 'Test_Set')])
def test_splits_without_a_training_folder_are_refused(folders, data):
  said = refusal(data(*folders))
  assert 'but no folder for training' in said and repr(folders[0]) in said


@pytest.mark.parametrize('folder', ['valid', 'Test', 'dev'])
def test_class_folders_beside_a_split_are_refused(folder, data):
  said = refusal(data('.', folder))
  assert f"a folder '{folder}' with class folders inside" in said


@pytest.mark.parametrize('folders', [
    ('train/train', 'train/test'), ('train', 'train/val'),
    ('train', 'val', 'train/Test')])
def test_splits_inside_a_training_folder_are_refused(folders, data):
  said = refusal(data(*folders))
  assert "'ROOT/train' has a folder" in said and 'class folders inside' in said


def test_classes_that_look_like_splits_of_other_names_are_said(data):
  root = data('fold1', 'fold2')
  assert notes(root)[0] == (
      "Each of the classes 'fold1', 'fold2' has the folders 'cat', 'dog': if"
      ' these are the classes, name the folders around them train and val.')
  assert 'Each of' not in ' '.join(notes(data('train', 'val')))


def test_a_list_beside_the_folder_of_the_data_is_none_of_its_own(tree):
  root = tree('labels.csv', 'photos/1.jpg')
  assert 'has no class folders' in refusal(f'{root}/photos')


def test_pictures_without_classes_are_refused_also_in_splits(tree):
  root = tree('train/cat.1.jpg', 'test/2.jpg')
  assert "'ROOT/train' has no class folders" in refusal(root)


@pytest.mark.parametrize('names', [
    ('bus', 'car', 'train'), ('invalid', 'valid'), ('control', 'test'),
    ('dev', 'prod')])
def test_a_class_may_be_called_like_a_split(names, tree):
  root = tree(*(f'{name}/{i}.jpg' for name in names for i in range(3)))
  assert open_source('folder', 'train', path=root).class_names == names
  named_so = [name for name in names if split_of(name)]
  assert notes(root)[0] == (
      'Taken as classes, as they have no class folders, although named like'
      f' splits: {named_so[0]!r} in ROOT.')


def test_links_to_one_folder_are_no_two_splits(data):
  root = data('train')
  os.symlink('train', f'{root}/val')
  assert 'are links to one folder' in refusal(root)


def test_linked_splits_are_read(data):
  root = data('store/.data/a', 'store/.data/b')
  os.makedirs(f'{root}/view')
  os.symlink('../store/.data/a', f'{root}/view/train')
  os.symlink('../store/.data/b', f'{root}/view/val')
  source = open_source('folder', 'validation', path=f'{root}/view')
  assert len(source) == 4 and source.where(0) == f'{root}/view/val/cat/0.jpg'


def test_a_link_that_leads_back_makes_no_class(data):
  root = data('train', 'val')
  for link, target in (('train/up', '..'), ('train/all', '../..'),
                       ('train/kitten', 'cat'), ('val/cat/more', '../../train'),
                       ('train/dog/other', '../cat')):
    os.symlink(target, f'{root}/{link}')
  for split in ('train', 'validation'):
    source = open_source('folder', split, path=root)
    assert source.class_names == CLASSES and len(source) == 4
    assert 'Passed over (link' in ' '.join(source.notes)
