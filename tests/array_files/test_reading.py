"""Arrays of any program's file; a file that lies is refused in one sentence."""

import io
import os
import pickle
import zipfile

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from alexnet_jax.array_files import reading
from alexnet_jax.errors import InputError

ONE = np.arange(6, dtype=np.float32).reshape(2, 3)


def refusal(path):
  with pytest.raises(InputError) as refused:
    reading.read(str(path))
  sentence = str(refused.value)
  assert '\n' not in sentence and str(path) in sentence and len(sentence) < 600
  return sentence


def npy(array=ONE, header=None):
  """The bytes of an .npy, with other header fields if they are given."""
  file = io.BytesIO()
  if header is None:
    np.save(file, array)
  else:
    np.lib.format.write_array_header_1_0(
        file, np.lib.format.header_data_from_array_1_0(array) | header)
    file.write(array.tobytes())
  return file.getvalue()


def dictionary(content, protocol=4, dump=pickle.dumps):
  """An .npy that holds a dictionary, as np.save writes it."""
  file = io.BytesIO()
  box = np.empty((), object)
  np.lib.format.write_array_header_1_0(
      file, np.lib.format.header_data_from_array_1_0(box))
  box[()] = content
  return file.getvalue() + dump(box, protocol)


# --- What is read -------------------------------------------------------------


@pytest.mark.parametrize('array', [
    ONE, np.asfortranarray(ONE), ONE.astype(np.float16), ONE.astype('>f8'),
    np.array(['a', 'bc']), np.zeros((0, 3))])
def test_arrays_of_numpy_are_read_as_numpy_reads_them(array, tmp_path):
  np.savez(tmp_path / 'a.npz', x=array, y=ONE)
  np.savez_compressed(tmp_path / 'b.npz', x=array, y=ONE)
  np.save(tmp_path / 'c.npy', array)
  for name, key in (('a.npz', 'x'), ('b.npz', 'x'), ('c.npy', '')):
    found = reading.read(str(tmp_path / name))[key]
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_half_precision_is_read_from_safetensors(tmp_path):
  save_file({'w': ONE.astype(ml_dtypes.bfloat16)}, tmp_path / 'h.safetensors')
  np.testing.assert_array_equal(reading.read(
      str(tmp_path / 'h.safetensors'))['w'].astype(np.float32), ONE)


@pytest.mark.parametrize('protocol', [0, 2, 4, 5])
def test_dictionaries_are_flattened(protocol, tmp_path):
  content = {'conv1': {'weights': ONE, b'biases': ONE[0]}, 'fc6': [ONE, ONE[1]],
             'layers': [{'name': 'conv2a', 'weights': [ONE]}], 'epoch': 3}
  (tmp_path / 'net.npy').write_bytes(dictionary(content, min(protocol, 4)))
  (tmp_path / 'net.pkl').write_bytes(pickle.dumps(content, min(protocol, 4)))
  for name in ('net.npy', 'net.pkl'):
    found = reading.read(str(tmp_path / name))
    assert set(found) == {'conv1/weights', 'conv1/biases', 'fc6/0', 'fc6/1',
                          'layers/conv2a/weights/0'}
    np.testing.assert_array_equal(found['fc6/1'], ONE[1])


def test_a_state_dict_of_pytorch_is_read(tmp_path):
  torch = pytest.importorskip('torch')
  tensors = {'w': torch.tensor(ONE), 'half': torch.tensor(ONE).bfloat16()}
  for content in (tensors, {'state_dict': tensors, 'optimizer': {'m': 1}},
                  {'model': tensors, 'epoch': 3}):
    torch.save(content, tmp_path / 'net.pth')
    found = reading.read(str(tmp_path / 'net.pth'))
    assert set(found) == {'w', 'half'}
    np.testing.assert_array_equal(found['half'], ONE)


# --- What is refused ----------------------------------------------------------


def test_what_is_no_file_of_arrays_is_refused(tmp_path):
  assert 'does not exist' in refusal(tmp_path / 'none.npz')
  assert 'is a folder' in refusal(tmp_path)
  (tmp_path / 'net.h5').write_bytes(b'x')
  assert '.caffemodel' in refusal(tmp_path / 'net.h5')


ENDINGS = [ending for ending in reading.FORMATS if ending not in reading.TORCH]


@pytest.mark.parametrize('ending', ENDINGS)
@pytest.mark.parametrize('content', [
    b'', b'no numbers at all', b'<!DOCTYPE html><html>404</html>' * 9,
    b'version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n',
    bytes(range(256)) * 4, b'\x80' * 64, b'PK\x03\x04' + b'\0' * 60])
def test_a_foreign_file_is_refused(ending, content, tmp_path):
  path = tmp_path / f'broken{ending}'
  path.write_bytes(content)
  assert f'cannot be read as an {ending} file' in refusal(path)


def test_files_of_pytorch_are_refused_in_one_sentence_too(tmp_path):
  (tmp_path / 'net.pth').write_bytes(b'no numbers at all')
  said = refusal(tmp_path / 'net.pth')  # with torch or without it
  assert 'pip install torch' in said or 'cannot be read as an .pth' in said


class Call:
  """Asks the unpickler to call something."""

  def __init__(self, function, *arguments):
    self.asked = function, arguments

  def __reduce__(self):
    return self.asked


def test_a_pickle_that_calls_anything_is_refused_unexecuted(tmp_path):
  trace = tmp_path / 'executed'
  for i, bomb in enumerate((
      Call(os.system, f'touch {trace}'),
      Call(exec, f'open({str(trace)!r}, "w")'),
      Call(open, str(trace), 'w'), Call(getattr, 'x', 'upper'),
      Call(np.load, str(trace)), Call(pickle.loads, b'N.'))):
    (tmp_path / f'{i}.npy').write_bytes(dictionary({'conv1': bomb}))
    (tmp_path / f'{i}.pkl').write_bytes(pickle.dumps([bomb]))
    np.savez(tmp_path / f'{i}.npz', x=np.array([bomb], object))
    assert 'asks for' in refusal(tmp_path / f'{i}.npy')
    assert 'asks for' in refusal(tmp_path / f'{i}.pkl')
    assert 'objects, not arrays' in refusal(tmp_path / f'{i}.npz')
  assert not trace.exists()


def test_pytorch_files_that_call_anything_are_refused_unexecuted(tmp_path):
  torch = pytest.importorskip('torch')
  trace = tmp_path / 'executed'
  torch.save({'w': Call(os.system, f'touch {trace}')}, tmp_path / 'net.pth')
  refusal(tmp_path / 'net.pth')
  assert not trace.exists()


def test_a_codec_that_makes_bytes_grow_is_refused(tmp_path):
  text = b"cnumpy.core.multiarray\n_reconstruct\n0c_codecs\nencode\n(V" + (
      b'a' * 10) + b'\nVhex\ntR.'
  (tmp_path / 'net.pkl').write_bytes(text)
  assert 'asks for the codec hex' in refusal(tmp_path / 'net.pkl')


def test_a_pickle_that_would_fill_the_memory_is_refused(tmp_path):
  memo = b'\x80\x02Nr' + b'\xff' * 4 + b'.'
  (tmp_path / 'net.pkl').write_bytes(memo)
  assert 'numbers an object' in refusal(tmp_path / 'net.pkl')
  content = pickle.dumps({'a': ONE}, 2)
  assert content.count(b'K\x02K\x03\x86') == 1  # its shape
  for shape in (b'J' + b'\xff\xff\xff\x7f' + b'K\x03\x86', b'K\x02K\x04\x86'):
    (tmp_path / 'net.pkl').write_bytes(
        content.replace(b'K\x02K\x03\x86', shape))
    assert 'an array of shape' in refusal(tmp_path / 'net.pkl')
  boxes = pickle.dumps(np.array([None, None], object), 2)
  (tmp_path / 'net.pkl').write_bytes(boxes.replace(
      b'K\x02\x85', b'J' + b'\xff\xff\xff\x7f' + b'\x85'))
  assert 'objects' in refusal(tmp_path / 'net.pkl')
  shared = [ONE[0]]
  for _ in range(6):
    shared = [shared] * 40
  (tmp_path / 'net.pkl').write_bytes(pickle.dumps(shared))
  assert 'parts' in refusal(tmp_path / 'net.pkl')


def test_a_dictionary_in_itself_is_refused(tmp_path):
  content = {}
  content['conv1'] = content
  (tmp_path / 'net.npy').write_bytes(dictionary(content))
  assert 'levels' in refusal(tmp_path / 'net.npy')


@pytest.mark.parametrize('shape', [
    (2, 4), (10**6, 10**6), (2**62, 2**62), (-1, -6), (-2, 3)])
def test_a_shape_that_the_file_does_not_fill_is_refused(shape, tmp_path):
  wrong = npy(header={'shape': shape})
  (tmp_path / 'net.npy').write_bytes(wrong)
  refusal(tmp_path / 'net.npy')
  with zipfile.ZipFile(tmp_path / 'net.npz', 'w') as archive:
    archive.writestr('x.npy', wrong)
  refusal(tmp_path / 'net.npz')


def test_an_archive_that_would_fill_the_memory_is_refused(
    tmp_path, monkeypatch):
  monkeypatch.setattr(reading, 'MOST_BYTES', 2**20)
  np.savez_compressed(tmp_path / 'bomb.npz', x=np.zeros(2**20, np.float32))
  assert os.path.getsize(tmp_path / 'bomb.npz') < 2**14
  assert 'no network here more than' in refusal(tmp_path / 'bomb.npz')
  np.save(tmp_path / 'large.npy', np.zeros(2**18 + 1, np.float32))
  assert 'no network here more than' in refusal(tmp_path / 'large.npy')
  same = np.zeros(2**16, np.float32)  # one array, forty times
  (tmp_path / 'same.npy').write_bytes(dictionary({'a': [same] * 40}))
  assert 'no network here more than' in refusal(tmp_path / 'same.npy')


def test_tensors_that_would_fill_the_memory_are_refused(tmp_path):
  torch = pytest.importorskip('torch')
  wide = torch.zeros(1).expand(2**20, 2**20)
  torch.save({'w': wide}, tmp_path / 'net.pth')
  assert 'no network here more than' in refusal(tmp_path / 'net.pth')


def test_files_cut_anywhere_are_refused(tmp_path):
  np.savez(tmp_path / 'net.npz', x=ONE, y=np.zeros(100))
  save_file({'x': ONE}, tmp_path / 'net.safetensors')
  np.save(tmp_path / 'net.npy', ONE)
  (tmp_path / 'dictionary.npy').write_bytes(dictionary({'x': ONE}))
  for name in ('net.npz', 'net.safetensors', 'net.npy', 'dictionary.npy'):
    whole = (tmp_path / name).read_bytes()
    for size in {1, 9, len(whole) // 3, len(whole) // 2, len(whole) - 9,
                 len(whole) - 1}:
      (tmp_path / name).write_bytes(whole[:size])
      refusal(tmp_path / name)


def test_a_flipped_bit_of_an_archive_is_refused(tmp_path):
  np.savez(tmp_path / 'net.npz', x=np.zeros(1000))
  data = bytearray((tmp_path / 'net.npz').read_bytes())
  data[len(data) // 2] ^= 1
  (tmp_path / 'net.npz').write_bytes(data)
  assert 'CRC' in refusal(tmp_path / 'net.npz')
