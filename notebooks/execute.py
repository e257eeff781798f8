"""Executes the notebooks from top to bottom and stores what they show.

    python notebooks/execute.py                      # all
    python notebooks/execute.py notebooks/quickstart.ipynb
    python notebooks/execute.py --addresses          # only new addresses

`--addresses` puts the repository's address of pyproject.toml into the badges of
the README and into the notebooks.
"""

import argparse
import glob
import os
import re
import tomllib

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NOTEBOOKS = sorted(glob.glob(os.path.join(ROOT, 'notebooks', '*.ipynb')))
# Progress bars are widgets, which only a running notebook can show.
WIDGET = 'application/vnd.jupyter.widget-view+json'
BADGE = 'https://colab.research.google.com/assets/colab-badge.svg'


def repository() -> str:
  """Returns the address of the repository, as pyproject.toml has it."""
  with open(os.path.join(ROOT, 'pyproject.toml'), 'rb') as file:
    return tomllib.load(file)['project']['urls']['Repository']


def colab_address(notebook: str) -> str:
  """Returns the address that opens a notebook, 'NAME.ipynb', in Colab."""
  path = repository().removeprefix('https://github.com/')
  return (f'https://colab.research.google.com/github/{path}/blob/main/notebooks/'
          f'{notebook}')


def badge(notebook: str) -> str:
  """Returns the badge, in Markdown, that opens a notebook in Colab."""
  return f'[![Open in Colab]({BADGE})]({colab_address(notebook)})'


def with_addresses(text: str) -> str:
  """Returns a text whose badges and `git clone` have the present address."""
  text = re.sub(
      r'https://colab\.research\.google\.com/github/[\w./-]*/(\w+\.ipynb)',
      lambda match: colab_address(match[1]), text)
  return re.sub(r'(git clone .*?)https://github\.com/[\w./-]+',
                lambda match: match[1] + repository(), text)


def execute(path: str, folder: str, seconds: int = 3600) -> NotebookNode:
  """Runs a notebook in a kernel of its own; returns it with its outputs.

  Args:
    path: the notebook.
    folder: the folder in which it is opened.
    seconds: the time that a cell may take.

  Raises:
    nbclient.exceptions.CellExecutionError: a cell fails.
  """
  notebook = nbformat.read(path, as_version=4)
  NotebookClient(
      notebook, timeout=seconds, kernel_name='python3', coalesce_streams=True,
      record_timing=False,
      resources={'metadata': {'path': folder}}).execute()
  return notebook


def to_store(notebook: NotebookNode) -> NotebookNode:
  """Removes progress bars and what is only true of one machine."""
  for cell in notebook.cells:
    if cell.cell_type == 'code':
      cell.outputs = [output for output in cell.outputs
                      if WIDGET not in output.get('data', {})]
      for output in cell.outputs:
        if 'text' in output:
          output.text = output.text.replace(ROOT + os.sep, '')
  notebook.metadata.pop('widgets', None)
  notebook.metadata['language_info'] = {'name': 'python'}
  return notebook


def main() -> None:
  """Executes the notebooks of the command line, or only sets addresses."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('notebooks', nargs='*', default=NOTEBOOKS)
  parser.add_argument('--addresses', action='store_true',
                      help='set the addresses and execute nothing')
  arguments = parser.parse_args()
  for path in [*arguments.notebooks, os.path.join(ROOT, 'README.md')]:
    with open(path, encoding='utf-8') as file:
      text = file.read()
    if with_addresses(text) != text:
      with open(f'{path}.new', 'w', encoding='utf-8') as file:
        file.write(with_addresses(text))
      os.replace(f'{path}.new', path)
  if not arguments.addresses:
    for path in arguments.notebooks:
      nbformat.write(to_store(execute(path, ROOT)), path)


if __name__ == '__main__':
  main()
