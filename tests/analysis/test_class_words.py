import pytest

from alexnet_jax.analysis import class_words as words
from alexnet_jax.errors import InputError

CLASSES = ('n01443537', 'n01641577', 'n03400231')
LINES = '''n03400231 frying pan, frypan, skillet
n01443537 goldfish, Carassius auratus
'''


@pytest.fixture
def written(tmp_path):
  """A function (text, name) -> the path of a file of it."""

  def write(text, name='words.txt', encoding='utf-8'):
    (tmp_path / name).write_text(text, encoding)
    return str(tmp_path / name)

  return write


def test_a_class_is_called_by_the_words_before_the_first_comma(written):
  assert words.readable(CLASSES, written(LINES)) == (
      'goldfish', 'n01641577', 'frying pan')


def test_without_a_file_classes_keep_their_names():
  assert words.readable(CLASSES) == CLASSES


def test_several_files_complete_each_other(written):
  both = ','.join([written(LINES), written('n01641577 bullfrog', 'b.txt')])
  assert words.readable(CLASSES, both) == (
      'goldfish', 'bullfrog', 'frying pan')


def test_other_forms_of_such_files_are_read(written):
  text = '\n\nn01443537\tgoldfish, Carassius auratus\r\nn01641577\nn9 a cat\n'
  path = written(text, encoding='utf-8-sig')
  assert words.readable(CLASSES, path) == ('goldfish', *CLASSES[1:])


def test_a_class_name_with_spaces_ends_at_a_tab(written):
  path = written('big cat\ttiger, Panthera tigris\n')
  assert words.readable(('big cat', 'dog'), path) == ('tiger', 'dog')
  with pytest.raises(InputError, match=r"such as 'red fox\\tits, words'"):
    words.readable(('red fox', 'wolf'), path)


@pytest.mark.parametrize('content, sentence', [
    (None, "words.txt' cannot be read (No such file or directory): give a file"
     ' of lines "CLASS its, words".'),
    (b'\xff\xfe\x00\xd8', "words.txt' is no UTF-8 text: give a file of lines"
     ' "CLASS its, words".'),
    (b'cat a cat\n', 'words.txt has no line for any of the 3 classes: give a'
     " file of lines such as 'n01443537 its, words'."),
    (b'', 'words.txt has no line for any of the 3 classes')])
def test_a_file_without_such_words_is_refused(tmp_path, content, sentence):
  if content is not None:
    (tmp_path / 'words.txt').write_bytes(content)
  with pytest.raises(InputError) as error:
    words.readable(CLASSES, str(tmp_path / 'words.txt'))
  assert sentence in str(error.value)


def test_a_long_text_ends_in_an_ellipsis():
  assert words.shortened('American alligator', 18) == 'American alligator'
  assert words.shortened('American alligator', 10) == 'American…'
  assert words.shortened('goldfish', 5) == 'gold…'


def test_a_file_lists_synsets_in_order_and_other_classes_as_they_stand(written):
  assert words.listed(written(LINES)) == ('n01443537', 'n03400231')
  assert words.listed(written('b\tone\na\ttwo\n')) == ('b', 'a')
  assert words.listed(written('n03400231\n\nn01443537\n')) == (
      'n01443537', 'n03400231')


def test_the_map_of_imagenet_has_a_number_before_the_word(written):
  path = written('n02119789 1 kit_fox\nn01443537 2 goldfish\n')
  assert words.listed(path) == ('n01443537', 'n02119789')
  assert words.readable(('n02119789', 'x'), path) == ('kit fox', 'x')


def test_a_list_of_no_classes_is_refused(written):
  with pytest.raises(InputError, match='lists no classes'):
    words.listed(written('\n\n'))
