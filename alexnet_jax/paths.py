"""Paths as a person gives them: `~`, and what is no path on this machine."""

import os
import re

from alexnet_jax.errors import InputError

URL = re.compile(r'(\w[\w+.-]*)://(.*)', re.DOTALL)
# What makes the storage of each scheme a local folder.
MOUNTS = {'gs': 'gcsfuse', 's3': 'mountpoint-s3 or s3fs', 'hdfs': 'hadoop-fuse'}
LONGEST_NAME, LONGEST_PATH = 255, 4095  # bytes, on Linux


def local(name: str, path: str) -> str:
  """Returns a path with `~` and `~user` expanded.

  Args:
    name: the flag or field that gives the path, such as '--workdir'.
    path: the path.

  Raises:
    InputError: it is a URL, the user of `~user` does not exist, or no file
      system takes such a path.
  """
  url = URL.match(path)
  if url:
    scheme, rest = url.group(1).lower(), url.group(2)
    if scheme == 'file':
      raise InputError(f'{name}={path} is a URL: give the path alone, {rest}')
    tool = f', for example with {MOUNTS[scheme]},' if scheme in MOUNTS else ''
    raise InputError(
        f'{name}={path} is not on this machine, and only files of this machine'
        f' are read and written: copy it to a local folder, or mount it{tool}'
        ' and give the path of that folder.')
  expanded = os.path.expanduser(path)
  if path.startswith('~') and expanded == path:
    user = path.partition('/')[0]
    raise InputError(f'{name}={path}: there is no home folder {user}: give the'
                     f' whole path, or ./{path} for a folder of that name.')
  _check_name(name, expanded)
  return expanded


def file_above(path: str) -> str:
  """Returns the file that stands where a folder of `path` must be, or ''."""
  folder = os.path.dirname(os.path.abspath(path))
  while not os.path.exists(folder):
    folder = os.path.dirname(folder)
  return '' if os.path.isdir(folder) else folder


def _check_name(name, path):
  try:
    encoded = os.fsencode(path)
  except UnicodeEncodeError:
    encoded = b'\0'
  if b'\0' in encoded:
    raise InputError(f'{name}={path} has a character that no file name can'
                     ' have: give another path.')
  longest = max(map(len, encoded.split(b'/')))
  if longest > LONGEST_NAME or len(encoded) > LONGEST_PATH:
    raise InputError(
        f'{name}={path[:40]}... is too long: names have at most {LONGEST_NAME}'
        f' bytes and paths {LONGEST_PATH}, give a shorter one.')
