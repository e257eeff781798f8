"""Every path may start with `~`, and what is no path here is refused."""

import os
import pwd

import pytest

from alexnet_jax import paths
from alexnet_jax.command_line import common_flags, task_files
from alexnet_jax.errors import InputError

# The flags that take text, but no path.
NO_PATHS = {'task', 'coordinator', 'layer', 'layers', 'maps', 'seeds', 'sweep',
            'format', 'preprocessing', 'data_license', 'compile_for', 'split',
            'config', 'form', 'reaches'}


@pytest.mark.parametrize('path', [
    'runs/a', '../a', 'a/../b/', 'with spaces', 'Löwe/猫', 'gs:/', 'a:b',
    '/', '.', os.fsdecode(b'caf\xe9'), 'weights.npz:conv1/kernel', 'a~', './~'])
def test_a_local_path_stays_as_it_is(path):
  assert paths.local('--out', path) == path


def test_the_home_folder_is_found(monkeypatch):
  monkeypatch.setenv('HOME', '/home/ann')
  assert paths.local('--out', '~/a') == '/home/ann/a'
  assert paths.local('--out', '~') == '/home/ann'
  assert paths.local('--checkpoint', '~/run@best') == '/home/ann/run@best'
  me = pwd.getpwuid(os.getuid())
  assert paths.local('--out', f'~{me.pw_name}/a') == f'{me.pw_dir}/a'


@pytest.mark.parametrize('path, parts', [
    ('gs://bucket/run', ['--out=gs://bucket/run', 'mount it', 'gcsfuse']),
    ('S3://bucket', ['--out=S3://bucket', 'mountpoint-s3']),
    ('hdfs://host:9000/a', ['hdfs://host:9000/a', 'copy it']),
    ('https://host/a.zip', ['https://host/a.zip', 'copy it']),
    ('az://a', ['az://a', 'mount it']),
    ('file:///data/a', ['file:///data/a', 'give the path alone, /data/a']),
    ('~nobody_here/a', ['no home folder ~nobody_here', './~nobody_here/a']),
    ('a\0b', ['no file name']),
    ('\ud800', ['no file name']),
    ('a' * 256, ['too long', '255']),
    ('ä' * 130, ['too long', '255']),
    ('a/' * 2100, ['too long', '4095']),
])
def test_what_is_no_path_on_this_machine_is_refused(path, parts):
  with pytest.raises(InputError) as error:
    paths.local('--out', path)
  for part in parts:
    assert part in str(error.value)


def test_a_file_in_the_way_of_a_folder_is_found(tmp_path):
  (tmp_path / 'file').touch()
  assert paths.file_above(str(tmp_path / 'file/a/b')) == str(tmp_path / 'file')
  assert paths.file_above(str(tmp_path / 'a/b')) == ''
  assert paths.file_above('') == ''


def define_all(name):
  """The flags of a task, without parsing anything."""
  from importlib import import_module

  from absl import flags
  values = flags.FlagValues()
  import_module(f'alexnet_jax.tasks.{name}').define_flags(values)
  return values


@pytest.mark.parametrize('name', task_files.task_names())
def test_every_flag_is_checked_as_a_path_or_has_bounds(name):
  from absl import flags
  values = define_all(name)
  for flag in values:
    parser = values[flag].parser
    if isinstance(parser, flags.IntegerParser | flags.FloatParser):
      assert None not in (parser.lower_bound, parser.upper_bound), flag
    elif not isinstance(parser, flags.BooleanParser | flags.EnumParser):
      assert flag in {*common_flags.PATHS, *NO_PATHS}, flag
