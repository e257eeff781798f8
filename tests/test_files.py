"""A file is there whole or not at all."""

import pytest

from alexnet_jax import files


def test_a_file_gets_its_name_at_the_end(tmp_path):
  path = tmp_path / 'new' / 'file'
  with files.atomic_write(str(path)) as file:
    file.write(b'whole')
    assert not path.exists()
  assert path.read_bytes() == b'whole'
  assert [one.name for one in path.parent.iterdir()] == ['file']


def test_what_goes_wrong_on_the_way_leaves_the_old_file(tmp_path):
  path = tmp_path / 'file'
  path.write_bytes(b'old')
  with pytest.raises(KeyError), files.atomic_write(str(path)) as file:
    file.write(b'half of the new one')
    raise KeyError
  assert path.read_bytes() == b'old'
