"""The files of alexnet_jax/tasks/, read without importing them."""

import ast
import glob
import os
import re

FOLDER = os.path.join(os.path.dirname(os.path.dirname(__file__)), 'tasks')


def task_names() -> list[str]:
  """Returns the names of all tasks."""
  return sorted(
      os.path.basename(path).removesuffix('.py')
      for path in glob.glob(os.path.join(FOLDER, '[!_]*.py')))


def summary(name: str) -> str:
  """Returns the first line of a task's docstring, without '--task=NAME: '."""
  text = ast.get_docstring(ast.parse(_source(name))) or ''
  return text.splitlines()[0].partition(': ')[2]


def defines(name: str, flag: str) -> bool:
  """Returns whether a task defines a flag."""
  return bool(re.search(
      rf"DEFINE_\w+\(\s*'{re.escape(flag)}'", _source(name)))


def _source(name):
  with open(os.path.join(FOLDER, f'{name}.py'), encoding='utf-8') as file:
    return file.read()
