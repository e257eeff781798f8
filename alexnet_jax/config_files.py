"""Configs: read from the files of configs/, or from the JSON of a run."""

import difflib
import glob
import os
import runpy
from collections.abc import Iterator, Mapping
from typing import Any

from ml_collections import ConfigDict

from alexnet_jax.errors import InputError, one_line


def load(value: str, overrides: Mapping[str, Any], flag: str) -> ConfigDict:
  """Loads a config from a file and overrides some of its fields.

  Args:
    value: 'FILE' or 'FILE:ARGUMENT'.
    overrides: {'section.field': value}.
    flag: name of the flag that gives the file, used in error messages.

  Returns:
    The locked config.

  Raises:
    InputError: the file does not exist, or the config lacks one of the fields.
  """
  path, colon, form = value.partition(':')
  if not os.path.isfile(path):
    raise InputError(no_config(path))
  try:
    config = runpy.run_path(path)['get_config'](*([form] if colon else []))
    config.lock().update_from_flattened_dict(overrides)
  except (KeyError, TypeError, ValueError) as error:
    raise InputError(
        f'--{flag}={value} cannot be used: {one_line(error)}') from error
  return config


def no_config(path: str) -> str:
  """Says that there is no such file, and which one is near."""
  known = glob.glob('configs/**/*.py', recursive=True)
  near = difflib.get_close_matches(path, known, 2, 0.7)
  hint = ' or '.join(near) or 'one of ' + all_configs()
  return f'there is no config {path}: did you mean {hint}?'


def all_configs() -> str:
  """Lists the files and folders of configs/."""
  return ', '.join([*sorted(glob.glob('configs/*.py')),
                    *sorted(glob.glob('configs/*/'))]) or 'configs/'


def from_json(stored: Mapping[str, Any]) -> ConfigDict:
  """Converts a config read from JSON to a ConfigDict; lists become tuples."""
  return ConfigDict(_tuples(stored))


def _tuples(value):
  if isinstance(value, dict):
    return {name: _tuples(item) for name, item in value.items()}
  return tuple(map(_tuples, value)) if isinstance(value, list) else value


def fields(config: ConfigDict, prefix: str = '') -> Iterator[tuple[str, Any]]:
  """Yields ('section.field', value) for every field of a config."""
  for name, value in config.items():
    if isinstance(value, ConfigDict):
      yield from fields(value, f'{prefix}{name}.')
    else:
      yield prefix + name, value
