"""Configs: read from the files of configs/, or from the JSON of a run."""

import difflib
import glob
import inspect
import os
import runpy
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from alexnet_jax.errors import InputError, one_line, shortened


def load(value: str, overrides: Mapping[str, Any] | None = None,
         flag: str = '') -> ConfigDict:
  """Loads a config from a file and overrides some of its fields.

  Args:
    value: 'FILE' or 'FILE:ARGUMENT'.
    overrides: {'section.field': value}.
    flag: name of the flag that gives the file, used in error messages; ''.

  Returns:
    The locked config.

  Raises:
    InputError: the file does not exist, its code fails, or the config lacks one
      of the fields.
  """
  path, colon, form = value.partition(':')
  if not os.path.isfile(path):
    raise InputError(no_config(path))
  try:
    config = _run(path, [form] if colon else [])
    config.lock().update_from_flattened_dict(overrides or {})
  except (KeyError, TypeError, ValueError) as error:
    given = f'--{flag}={value}' if flag else value
    raise InputError(f'{given} cannot be used: {one_line(error)}') from error
  return config


def _run(path: str, arguments: Sequence[str]) -> ConfigDict:
  """Returns the config that get_config of a file returns.

  Raises:
    ValueError: the code of the file fails. Its own ValueErrors, such as for an
      unknown argument, are passed on.
  """
  try:
    get_config = runpy.run_path(path).get('get_config')
    if get_config is None:
      raise ValueError(f'{path} has no function get_config: add it.')
    _check_arguments(get_config, path, arguments)
    config = get_config(*arguments)
  except ValueError:
    raise
  except Exception as error:  # whatever Python code may raise
    raise ValueError(_sentence_of(error, path)) from error
  if not isinstance(config, ConfigDict):
    raise ValueError(f'get_config in {path} returns no ConfigDict but'
                     f' {shortened(repr(config))}: correct it.')
  return config


def _check_arguments(get_config, path, arguments):
  try:
    inspect.signature(get_config).bind(*arguments)
  except TypeError as error:
    wrong = (f'takes nothing behind a colon: give {path}' if arguments
             else f'needs an argument behind a colon: give {path}:ARGUMENT')
    raise ValueError(f'get_config in {path} {wrong}.') from error


def _sentence_of(error, path):
  """Says what is wrong in a config file, and in which line."""
  path, line = (
      (error.filename, error.lineno) if isinstance(error, SyntaxError) else
      next(((frame.filename, frame.lineno) for frame in
            reversed(traceback.extract_tb(error.__traceback__))
            if frame.filename == path), (path, 1)))
  text = error
  while isinstance(text, Exception) and text.args and not isinstance(
      text, OSError):
    text = text.args[0]  # the text of a KeyError alone, without quotes
  return (f'{path}, line {line}: {type(error).__name__}: {one_line(text)}:'
          ' correct the file.')


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
