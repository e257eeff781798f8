"""What a person reads about a config file of their own that cannot be used."""

import pytest

from alexnet_jax import config_files
from alexnet_jax.errors import InputError

START = 'from configs import quickstart\n\n\ndef get_config():\n'
# name: (the file, what the sentence contains).
FAILURES = {
    'a section that is none': (
        START + '  config = quickstart.get_config()\n  config.modl.norm = 1\n',
        ['own.py, line 6: AttributeError', "'modl'", 'correct the file']),
    'a name that is not defined': (
        START + '  return config\n', ['own.py, line 5: NameError', "'config'"]),
    'no Python': (
        'def get_config()\n  return 1\n', ['own.py, line 1: SyntaxError']),
    'a config that is not there': (
        'from configs import quikstart\n', ['line 1: ImportError']),
    'a file that is not there': (
        "open('nothing.txt')\n",
        ['line 1: FileNotFoundError', 'No such file', 'nothing.txt']),
    'no get_config': ('seed = 0\n', ['no function get_config: add it']),
    'nothing returned': (
        START + '  quickstart.get_config()\n', ['no ConfigDict but None']),
    'a dictionary': (
        START + "  return {'seed': 0}\n", ["no ConfigDict but {'seed': 0}"]),
    'an error of its own': (
        START + "  raise ValueError('give one of a, b.')\n",
        ['cannot be used: give one of a, b.']),
}


@pytest.fixture
def own(tmp_path):
  """Writes a config file; its path."""
  def write(text):
    path = tmp_path / 'own.py'
    path.write_text(text)
    return str(path)
  return write


@pytest.mark.parametrize('name', FAILURES)
def test_a_file_that_fails_is_refused(name, own):
  text, parts = FAILURES[name]
  path = own(text)
  with pytest.raises(InputError) as error:
    config_files.load(path, flag='config')
  sentence = str(error.value)
  assert sentence.startswith(f'--config={path} cannot be used: ')
  assert '\n' not in sentence
  for part in parts:
    assert part in sentence


@pytest.mark.parametrize('signature, argument, part', [
    ('', ':small', 'takes nothing behind a colon'),
    ('form', '', 'needs an argument behind a colon')])
def test_a_wrong_argument_is_refused(signature, argument, part, own):
  path = own(f'def get_config({signature}):\n  pass\n')
  with pytest.raises(InputError, match=part):
    config_files.load(path + argument, flag='config')


def test_a_field_may_follow_another(own):
  path = own(
      'from ml_collections import ConfigDict, FieldReference\n\n\n'
      'def get_config():\n'
      '  batch = FieldReference(32)\n'
      "  return ConfigDict({'batch': batch, 'epoch': batch * 10})\n")
  config = config_files.load(path, {'batch': 64}, 'config')
  assert config.epoch == 640
