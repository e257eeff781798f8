"""The floors of the code: imports point down, the mathematics is pure."""

import ast
import pathlib

ROOT = pathlib.Path(__file__).parent.parent
PACKAGE = ROOT / 'alexnet_jax'

# From the ground up: a room imports only from the floors below its own.
FLOORS = (
    {'errors', 'signals'},
    {'config_files', 'files', 'machine', 'paths', 'tables'},
    {'array_files'},
    {'network', 'data', 'command_line'},
    {'learning'},
    {'run'},
    {'bench', 'results', 'export'},
    {'analysis'},
    {'library'},
    {'figures'},
    {'pages'},
    {'tasks'},
)
PURE = {'network', 'learning'}
NOT_PURE = {'os', 'pathlib', 'io', 'absl', 'ml_collections', 'orbax', 'grain',
            'tqdm'}
READS_FLAGS = {'command_line', 'tasks'}
LOADER = PACKAGE / 'data/loader.py'  # says to Grain that there are no flags
FILES = sorted(PACKAGE.rglob('*.py'))


def room(file):
  """'layers.py' of network/ is in 'network'; 'errors.py' is its own room."""
  return file.relative_to(PACKAGE).with_suffix('').parts[0]


def imports(file):
  """Full names of all that a file imports, at its top or inside functions."""
  for node in ast.walk(ast.parse(file.read_text())):
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      assert node.level == 0, f'{file}: imports are absolute'
      yield from (f'{node.module}.{alias.name}' for alias in node.names)


def test_imports_point_down():
  floor_of = {name: i for i, names in enumerate(FLOORS) for name in names}
  for file in FILES:
    if file == PACKAGE / '__init__.py':
      continue
    for name in imports(file):
      parts = name.split('.')
      if parts[0] == 'alexnet_jax' and parts[1] != room(file):
        assert floor_of[parts[1]] < floor_of[room(file)], f'{file}: {name}'


def test_tasks_do_not_import_each_other():
  for file in (PACKAGE / 'tasks').glob('*.py'):
    assert not any(name.startswith('alexnet_jax.tasks')
                   for name in imports(file)), file


def test_network_and_learning_are_pure():
  for file in FILES:
    if room(file) in PURE:
      packages = {name.split('.')[0] for name in imports(file)}
      assert not packages & NOT_PURE, file


def test_data_does_without_jax():
  for file in (PACKAGE / 'data').glob('*.py'):
    packages = {name.split('.')[0] for name in imports(file)}
    assert not packages & {'jax', 'flax', 'optax', 'orbax'}, file


def test_flags_are_read_on_the_top_floor_only():
  for file in FILES:
    if file != LOADER and any(
        name.startswith('absl') for name in imports(file)):
      assert room(file) in READS_FLAGS, file


def test_every_room_says_what_is_in_it():
  for file in FILES:
    assert ast.get_docstring(ast.parse(file.read_text())), file


def test_no_file_is_longer_than_300_lines():
  for file in FILES:
    assert len(file.read_text().splitlines()) <= 300, file


def test_there_are_files_to_look_at():
  assert len(FILES) > 50


def test_what_the_type_checker_ignores_is_counted():
  ignored = [line for folder in ('alexnet_jax', 'benchmarks', 'configs')
             for path in (ROOT / folder).rglob('*.py')
             for line in path.read_text('utf-8').splitlines()
             if 'ty: ignore' in line]
  assert len(ignored) == 1, ignored
