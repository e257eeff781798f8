"""ILSVRC-2010 on miniatures of its official archives."""

import gzip
import os
import pathlib
import pickle

import archives
import numpy as np
import pytest

from alexnet_jax.data import imagenet2010, images
from alexnet_jax.data.sources import open_source
from alexnet_jax.errors import InputError

CLASSES = tuple(sorted(archives.SYNSETS[:3]))


@pytest.fixture
def folder(tmp_path):
  return archives.write_ilsvrc2010(tmp_path)


def opened(folder, split):
  return open_source('imagenet2010', split, path=folder, image_size=32)


def pictures(source):
  """[(class, pixels)] of all examples."""
  return [(source.class_names[source[i]['label']], source[i]['image'].tobytes())
          for i in range(len(source))]


def expected(number):
  return images.square(archives.picture(number)[1], 32).tobytes()


def refusal(folder, split='validation'):
  with pytest.raises(InputError) as error:
    opened(folder, split)
  return str(error.value).replace(folder, 'FOLDER')


def test_training_images_have_the_class_of_their_tar(folder):
  source = opened(folder, 'train')
  assert source.class_names == CLASSES
  assert pictures(source) == [
      (synset, expected(10 * k + i))
      for k, synset in enumerate(archives.SYNSETS[:3]) for i in range(2)]
  assert np.array_equal(source.labels(), [2, 2, 0, 0, 1, 1])


def test_lists_of_labels_follow_the_sorted_names_and_the_numbers(folder):
  first, second, third = archives.SYNSETS[:3]
  assert pictures(opened(folder, 'validation')) == [
      (third, expected(100)), (first, expected(101))]
  assert pictures(opened(folder, 'test')) == [
      (second, expected(200)), (second, expected(201)), (first, expected(202))]


def test_an_image_names_its_archive_and_travels_to_workers(folder):
  source = pickle.loads(pickle.dumps(opened(folder, 'test')))
  assert source.where(2) == (
      'ILSVRC2010_test_00000003.JPEG in'
      f' {os.path.join(folder, "ILSVRC2010_images_test.tar")}')
  assert source[2]['image'].shape == (32, 32, 3)


def test_patched_images_replace_blank_ones(folder):
  (pathlib.Path(folder) / imagenet2010.PATCHES).write_bytes(archives.tar_of({
      'patch_images/train/n01440764_1.JPEG': archives.picture(7)[0],
      'patch_images/val/ILSVRC2010_val_00000002.JPEG': archives.picture(8)[0]}))
  assert pictures(opened(folder, 'train'))[3] == ('n01440764', expected(7))
  source = opened(folder, 'validation')
  assert [pixels for _, pixels in pictures(source)] == [
      expected(100), expected(8)]
  assert source.where(1).endswith(imagenet2010.PATCHES)


def test_an_image_that_is_compressed_once_more_is_read(folder):
  (pathlib.Path(folder) / imagenet2010.ARCHIVES['validation']).write_bytes(
      archives.tar_of({'val/1.JPEG': gzip.compress(archives.picture(1)[0]),
                       'val/2.JPEG': archives.picture(2)[0]}))
  assert [pixels for _, pixels in pictures(opened(folder, 'validation'))] == [
      expected(1), expected(2)]


def test_a_damaged_image_is_named(folder):
  for damaged in (archives.picture(1)[0][:300],
                  gzip.compress(archives.picture(1)[0])[:300]):
    (pathlib.Path(folder) / imagenet2010.ARCHIVES['validation']).write_bytes(
        archives.tar_of({'1.JPEG': damaged, '2.JPEG': damaged}))
    with pytest.raises(
        InputError, match=r'2\.JPEG in .*images_val\.tar cannot be read as'):
      opened(folder, 'validation')[1]


@pytest.mark.parametrize('split, name', [
    ('train', 'ILSVRC2010_images_train.tar'),
    ('validation', 'ILSVRC2010_images_val.tar'),
    ('test', 'ILSVRC2010_images_test.tar'),
    ('train', 'ILSVRC2010_devkit-1.0.tar.gz'),
    ('test', 'ILSVRC2010_test_ground_truth.txt')])
def test_a_missing_file_is_named(folder, split, name):
  os.remove(os.path.join(folder, name))
  assert refusal(folder, split) == (
      f"{name} is missing in 'FOLDER'; download it from image-net.org into that"
      ' folder, under that name.')


def test_labels_that_are_not_those_of_the_images_are_refused(folder):
  write = (pathlib.Path(folder) / imagenet2010.DEVKIT).write_bytes
  archive = "'FOLDER/ILSVRC2010_images_val.tar'"
  again = '; download it again from image-net.org.'
  write(archives.devkit('1\n'))
  assert refusal(folder) == f'{archive} has 2 images for 1 labels{again}'
  for label in ('4', '0', 'x'):  # 4 is a synset, but no class
    write(archives.devkit(f'1\n{label}\n'))
    assert refusal(folder) == (
        f'{archive} has the label {label}, which is no class of'
        f' ILSVRC2010_devkit-1.0.tar.gz{again}')


def test_a_tar_of_another_year_is_refused(folder):
  (pathlib.Path(folder) / imagenet2010.ARCHIVES['train']).write_bytes(
      archives.tar_of({'n09999999.tar': archives.tar_of({})}))
  assert refusal(folder, 'train') == (
      "'FOLDER/ILSVRC2010_images_train.tar' has 'n09999999.tar', which is no"
      ' class of ILSVRC2010_devkit-1.0.tar.gz; download it again from'
      ' image-net.org.')


def test_a_training_archive_that_lacks_classes_is_refused(folder):
  tar = pathlib.Path(folder) / imagenet2010.ARCHIVES['train']
  whole = {f'{CLASSES[0]}.tar': archives.tar_of({
      'a.JPEG': archives.picture(1)[0]})}
  for content, lacking in (
      ({}, CLASSES), (whole, CLASSES[1:]),
      (whole | {f'{CLASSES[1]}.tar': archives.tar_of({})}, CLASSES[1:])):
    tar.write_bytes(archives.tar_of(content))
    assert refusal(folder, 'train') == (
        f"'FOLDER/{tar.name}' has no images of {len(lacking)} of the 3 classes"
        f' of ILSVRC2010_devkit-1.0.tar.gz, such as {lacking[0]}; download it'
        ' again from image-net.org.')


@pytest.mark.parametrize('name, split, size', [
    ('ILSVRC2010_images_train.tar', 'train', 700),
    ('ILSVRC2010_images_val.tar', 'validation', 700),
    ('ILSVRC2010_devkit-1.0.tar.gz', 'validation', 200)])
def test_a_cut_archive_is_refused(folder, name, split, size):
  with open(os.path.join(folder, name), 'r+b') as file:
    file.truncate(size)
  message = refusal(folder, split)
  assert message.startswith(f"'FOLDER/{name}' cannot be read (")
  assert message.endswith('; download it again from image-net.org.')


def test_a_development_kit_without_classes_is_refused(folder):
  write = (pathlib.Path(folder) / imagenet2010.DEVKIT).write_bytes
  write(archives.tar_of({'readme.txt': b''}, 'gz'))
  assert "ILSVRC2010_devkit-1.0.tar.gz' has no meta.mat; " in refusal(folder)
  write(archives.tar_of({'data/meta.mat': b'none'}, 'gz'))
  assert 'has a meta.mat that cannot be read; ' in refusal(folder)
