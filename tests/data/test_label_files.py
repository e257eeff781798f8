"""Lists of labels in the forms in which data sets come."""

import os

import pytest

from alexnet_jax.data.sources import open_source
from alexnet_jax.errors import InputError

NAMES = [f'val_{i}.JPEG' for i in range(4)]
LABELS = ['n02', 'n01', 'n01', 'n02']


@pytest.fixture
def photos(tree):
  """A function (text, where) -> root of n01 and n02, with a flat validation."""

  def make(text, where='val/val_annotations.txt', pictures='val/images',
           encoding='utf-8'):
    root = tree(*(f'train/{name}/{i}.jpg' for name in ('n01', 'n02')
                  for i in range(2)),
                *(f'{pictures}/{name}' for name in NAMES))
    with open(os.path.join(root, where), 'w', encoding=encoding) as file:
      file.write(text)
    return root

  return make


def lines(pattern, header=''):
  return header + ''.join(
      pattern.format(file=name, stem=name[:-5], label=label) + '\n'
      for name, label in zip(NAMES, LABELS, strict=True))


def validation(root, labels=''):
  return open_source('folder', 'validation', path=root, image_size=8,
                     labels=labels)


def labels_of(source):
  return {os.path.basename(source.where(i)): source.class_names[
      source[i]['label']] for i in range(len(source))}


def refusal(root, labels=''):
  with pytest.raises(InputError) as error:
    validation(root, labels)
  assert '\n' not in str(error.value)
  return str(error.value).replace(root, 'ROOT')


@pytest.mark.parametrize('where, pictures', [
    ('val/val_annotations.txt', 'val/images'), ('val/labels.csv', 'val'),
    ('val_annotations.txt', 'val'), ('LOC_val_solution.csv', 'val'),
    ('val.txt', 'val'), ('labels.csv', 'val'), ('val_labels.csv', 'val/images'),
    ('val/LABELS.TXT', 'val')])
def test_a_list_in_or_beside_the_folder_is_found(where, pictures, photos):
  source = validation(photos(lines('{file}\t{label}'), where, pictures))
  assert source.class_names == ('n01', 'n02')
  assert labels_of(source) == dict(zip(NAMES, LABELS, strict=True))
  assert any(where in note for note in source.notes)


@pytest.mark.parametrize('text', [
    lines('{file}\t{label}\t0\t32\t44\t62'),  # Tiny ImageNet
    lines('{stem},{label} 85 1 499 272 {label} 1 2 3 4 ',
          'ImageId,PredictionString\n'),  # ImageNet at Kaggle
    lines('{file} {label}'), lines('{file},{label}'), lines('{file};{label}'),
    lines('{label},{file}'), lines('0,{file},{label}'),
    lines('{file} {label}').replace('\n', '\r\n'),
    '\n' + lines('{file}, {label}\n'), lines('val/images/{file} {label}'),
    lines('images/{file},{label}'), lines('.\\images\\{file},{label}'),
    lines('/some/where/{file},{label}'), lines('"{file}","{label}"'),
    lines('{stem},{label}', 'id,breed\n'),
    lines('{label},5,{file}', 'label,count,filename\n'),
    lines('{label},{file}', 'Class Name,Image Path\n'),
    lines('7,{file},{label}', 'Id,File Name,Label\n'),
    lines('{file},{label}', 'file,anything\n'),
    '\ufeff' + lines('{file},{label}', 'filename,label\n')])
def test_any_usual_form_is_read(text, photos):
  assert labels_of(validation(photos(text))) == dict(
      zip(NAMES, LABELS, strict=True))


def test_a_list_is_given_as_a_field(photos, tmp_path):
  root = photos(lines('{file} {label}'), '../mine.txt')
  source = validation(root, str(tmp_path / 'mine.txt'))
  assert labels_of(source) == dict(zip(NAMES, LABELS, strict=True))


def test_names_with_spaces_and_accents_are_read(tree):
  root = tree('train/great dane/1.jpg', 'train/caf\u00e9/1.jpg',
              'val/my dog.jpg', 'val/e\u0301.jpg')
  with open(f'{root}/val/labels.txt', 'w', encoding='utf-8') as file:
    file.write('my dog.jpg great dane\n\u00e9.jpg cafe\u0301\n')
  assert labels_of(validation(root)) == {
      'my dog.jpg': 'great dane', 'e\u0301.jpg': 'caf\u00e9'}


def test_a_flat_training_folder_is_split_by_its_list(tree):
  root = tree(*(f'{i}.jpg' for i in range(40)))
  with open(f'{root}/breeds.csv', 'w', encoding='utf-8') as file:
    file.write('id,breed\n' + ''.join(
        f'{i},{"pug" if i % 4 else "boxer"}\n' for i in range(40)))
  found = {}
  for split in ('train', 'validation'):
    source = open_source('folder', split, path=root, image_size=8,
                         labels=f'{root}/breeds.csv')
    assert source.class_names == ('boxer', 'pug')
    found |= labels_of(source)
  assert found == {f'{i}.jpg': 'pug' if i % 4 else 'boxer' for i in range(40)}


def test_one_list_may_label_several_flat_folders(tree):
  root = tree(*(f'train/{i}.jpg' for i in range(4)), 'val/8.jpg', 'val/9.jpg')
  with open(f'{root}/labels.csv', 'w', encoding='utf-8') as file:
    file.write(''.join(f'{i}.jpg,{"ab"[i % 2]}\n' for i in (0, 1, 2, 3, 8, 9)))
  train = open_source('folder', 'train', path=root, image_size=8)
  assert len(train) == 4
  assert labels_of(validation(root)) == {'8.jpg': 'a', '9.jpg': 'b'}


def test_pictures_without_a_label_are_said(photos):
  root = photos(lines('{file} {label}').replace('val_3.JPEG n02\n', ''))
  source = validation(root)
  assert len(source) == 3
  assert any('as they have no label: 1 picture' in note
             and 'val_3.JPEG' in note for note in source.notes)


def test_a_picture_of_the_list_may_have_been_removed(photos):
  root = photos(lines('{file} {label}') + 'gone.JPEG n01\n')
  source = validation(root)
  assert len(source) == 4
  assert any("names 1 picture that" in note and "'gone.JPEG' in line 5." in note
             for note in source.notes)


LIST = 'ROOT/val/val_annotations.txt'


@pytest.mark.parametrize('text, said', [
    (lines('{file} {label}').replace('n01', 'n77'),
     f"'{LIST}' has 1 unknown class, 'n77'; rename or remove them, as there are"
     " 2 classes, 'n01', 'n02'."),
    ('gone.JPEG n01\nlost.JPEG n02\n',
     f"{LIST} names 2 pictures that 'ROOT/val' lacks, such as 'gone.JPEG' in"
     ' line 1; give the list of these pictures.'),
    (lines('{file} {label}') + 'val_0.JPEG n01\n',
     f"{LIST} names 'val_0.JPEG' twice, in lines 1 and 5; keep one of them."),
    (lines('{file} {label}') + 'images/val_0.JPEG n02\n',
     f"{LIST} names 'images/val_0.JPEG' twice, in lines 1 and 5; keep one of"
     ' them.'),
    ('', f'the list of labels {LIST} is empty; write UTF-8 lines such as'
     ' "a.jpg,cat", a file and its class.'),
    ('file,label\n', f'the list of labels {LIST} has a header only;'),
    ('val_0.JPEG,n01\nval_1.JPEG\n',
     f'the list of labels {LIST}, line 2, has no file and class;'),
    ('val_0.JPEG,n01\nval_1.JPEG,\n', 'line 2, has no file and class;'),
    ('490\n361\n171\n', f'the list of labels {LIST} has class numbers only,'
     ' which do not say what they mean;'),
    (lines('{file} {label}').replace('n01', '0').replace('n02', '1'),
     "has 2 unknown classes, '0', '1';"),
    ('val_0.JPEG\0,n01\n', 'is no UTF-8 text;')])
def test_a_list_that_does_not_fit_is_refused_in_one_sentence(
    text, said, photos):
  assert said in refusal(photos(text))


@pytest.mark.parametrize('encoding', ['utf-16', 'utf-16-le', 'latin-1'])
def test_another_encoding_is_refused(encoding, photos):
  root = photos(lines('{file} {label}') + 'caf\u00e9.jpg n01\n',
                encoding=encoding)
  assert refusal(root).startswith(f'the list of labels {LIST} is no UTF-8 text')


def test_a_list_that_is_not_there_is_refused(photos):
  root = photos('')
  assert refusal(root, f'{root}/none.csv').startswith(
      'the list of labels ROOT/none.csv cannot be read (No such file')
  os.mkfifo(f'{root}/pipe.csv')
  for path in (root, f'{root}/pipe.csv', '/dev/zero'):
    assert f'{path} is no file;'.replace(root, 'ROOT') in refusal(root, path)


def test_a_name_of_several_pictures_is_refused(tree):
  root = tree('train/a/1.jpg', 'train/b/1.jpg', 'val/x/1.jpg', 'val/y/1.jpg')
  with open(f'{root}/val/labels.txt', 'w', encoding='utf-8') as file:
    file.write('1.jpg a\n')
  said = refusal(root)
  assert "names '1.jpg', as 2 pictures in 'ROOT/val' are called" in said


def test_several_lists_are_refused(photos):
  root = photos(lines('{file} {label}'))
  with open(f'{root}/val/labels.csv', 'w', encoding='utf-8') as file:
    file.write(lines('{file},{label}'))
  assert ('has several lists of labels, labels.csv, val_annotations.txt; choose'
          ' one with --config.data.labels') in refusal(root)


def test_a_list_for_class_folders_is_refused(tree, tmp_path):
  root = tree('train/a/1.jpg', 'train/b/1.jpg', 'val/a/1.jpg')
  (tmp_path / 'x.csv').write_text('1.jpg,a\n')
  assert 'is not needed' in refusal(root, str(tmp_path / 'x.csv'))


def test_a_list_for_other_data_is_refused():
  with pytest.raises(InputError, match='config.data.name=procedural'):
    open_source('procedural', 'train', labels='x.csv')
