"""The house's order: imports point down, and every room has a sign."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent

# Low to high: a module imports from lower lines only. A folder is one room.
ORDER = (
    {'errors'},
    {'rng', 'layers', 'augment', 'schedules', 'metrics', 'neighbours',
     'hamming', 'specialisation'},
    {'optimizer', 'averages', 'turns'},
    {'columns'},
    {'models'},
    {'step', 'projection', 'precision'},
    {'data'},
    {'checkpoint', 'journal', 'watch', 'preemption', 'machine', 'weights',
     'kernel_file', 'describe', 'collectives', 'bench_text', 'claims'},
    {'held', 'runs', 'loop'},
    {'experiment'},
    {'plain', 'trained', 'bench_layers', 'bench_input'},
    {'evaluate', 'fine_tune', 'predictions', 'features', 'words',
     'bench_result'},
    {'train', 'ensemble', 'bench', 'describe_task', 'export_task',
     'prepare_task', 'compression', 'codes_table'},
    {'compare', 'report', 'figures'},
    {'predict', 'retrieve', 'codes'},
    {'command_line'},
    {'launch'},
)
MATHEMATICS = {'rng', 'layers', 'columns', 'augment', 'optimizer', 'metrics',
               'averages', 'schedules', 'models', 'step', 'neighbours',
               'hamming', 'specialisation', 'projection', 'precision'}
READS_FLAGS = {'launch', 'command_line'}
READS_CONFIG = READS_FLAGS | {
    'experiment', 'trained', 'train', 'evaluate', 'ensemble', 'predict',
    'features', 'retrieve', 'codes', 'compression', 'figures', 'bench',
    'plain', 'describe_task', 'prepare_task', 'compare'}

FILES = [ROOT / 'launch.py', *sorted((ROOT / 'alexnet_jax').rglob('*.py'))]
FILES = [file for file in FILES if file.exists()]
FILES = [pytest.param(file, id=str(file.relative_to(ROOT))) for file in FILES]
of_every_file = pytest.mark.parametrize('file', FILES)


def room(file):
  """'layers' of alexnet_jax/layers.py, 'data' of alexnet_jax/data/*.py."""
  parts = file.relative_to(ROOT).with_suffix('').parts
  return parts[-1] if len(parts) == 1 else parts[1]


def level(name):
  """The line of ORDER where a room stands."""
  for line, rooms in enumerate(ORDER):
    if name in rooms:
      return line
  raise AssertionError(f'{name} has no place yet: give it one in ORDER.')


def imports(file):
  """Full names of all that a file imports, at its top or inside functions."""
  for node in ast.walk(ast.parse(file.read_text())):
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      assert node.level == 0, 'imports are absolute'
      yield from (f'{node.module}.{alias.name}' for alias in node.names)


def rooms_used(file):
  names = [name.split('.') for name in imports(file)]
  return {name[1] for name in names if name[0] == 'alexnet_jax'}


def packages_used(file):
  return {name.split('.')[0] for name in imports(file)}


@of_every_file
def test_imports_point_down(file):
  own = room(file)
  if own == '__init__':
    assert not rooms_used(file)
    return
  for other in rooms_used(file) - {own}:
    assert level(other) < level(own), f'{own} imports {other}'


@of_every_file
def test_mathematics_knows_no_config_flags_or_files(file):
  if room(file) in MATHEMATICS:
    assert not packages_used(file) & {
        'absl', 'ml_collections', 'os', 'pathlib', 'io', 'orbax', 'grain'}
    assert 'data' not in rooms_used(file)


@of_every_file
def test_data_is_numpy_only_and_knows_nothing_of_the_network(file):
  if room(file) == 'data':
    assert not packages_used(file) & {'jax', 'flax', 'optax', 'orbax', 'absl'}
    assert rooms_used(file) <= {'data', 'errors'}


@of_every_file
def test_flags_are_read_at_the_door_only(file):
  flags = any(name.startswith('absl.flags') for name in imports(file))
  assert not flags or room(file) in READS_FLAGS


@of_every_file
def test_configs_are_read_by_tasks_only(file):
  assert ('ml_collections' not in packages_used(file)
          or room(file) in READS_CONFIG)


@of_every_file
def test_no_room_is_a_lumber_room(file):
  parts = file.relative_to(ROOT).with_suffix('').parts
  assert not {'utils', 'util', 'common', 'helpers', 'misc', 'core'} & set(parts)


@of_every_file
def test_no_file_is_longer_than_four_hundred_lines(file):
  assert len(file.read_text().splitlines()) <= 400


@of_every_file
def test_what_is_public_says_what_it_is(file):
  module = ast.parse(file.read_text())
  assert not module.body or ast.get_docstring(module), 'the module is silent'
  for node in module.body:
    if (isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith('_')):
      assert ast.get_docstring(node), f'{node.name} has no docstring'


def test_the_package_is_looked_at():
  assert len(FILES) > 20
