"""--task=export, in all formats; what is in the files is tests/export's."""

import json
import sys

import pytest

from alexnet_jax.errors import InputError
from alexnet_jax.tasks import export
from alexnet_jax.tasks.export import Options

ENDINGS = {'npz': 'npz', 'safetensors': 'safetensors', 'onnx': 'onnx',
           'stablehlo': 'stablehlo', 'torch': 'safetensors'}


def names(folder):
  return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize('name', ENDINGS)
def test_a_file_and_its_card_are_written(name, trained, tmp_path, capsys):
  path = tmp_path / 'new' / f'net.{ENDINGS[name]}'
  options = Options(name, data_license='CC0')
  assert export.export(trained[1], out=str(path), options=options) == str(path)
  extra = ['alexnet_torch.py'] if name == 'torch' else []
  assert names(tmp_path / 'new') == [*extra, path.name, f'{path.name}.json']
  card = json.loads((tmp_path / 'new' / f'{path.name}.json').read_text())
  assert card['data']['license'] == 'CC0'
  assert len(card['class_names']) == 12 and card['errors']['final']
  assert ('program' in card) == (name in ('onnx', 'stablehlo'))
  out, _ = capsys.readouterr()
  assert out.startswith(f'{path}: 7,436 parameters and 12 classes of')
  assert out.count('\n') == 1


@pytest.mark.parametrize('ending, format_name', [
    ('.npz', 'npz'), ('.safetensors', 'safetensors'), ('.onnx', 'onnx'),
    ('.stablehlo', 'stablehlo'), ('.pt', 'torch')])
def test_the_ending_says_the_format(ending, format_name, monkeypatch, trained,
                                    tmp_path):
  asked = []
  monkeypatch.setattr(
      export, '_write', lambda name, *rest: asked.append(name) or '')
  export.export(trained[1], out=str(tmp_path / f'a{ending}'))
  assert asked == [format_name]


@pytest.mark.parametrize('package, ending, sentence', [
    ('onnx', '.onnx', r'pip install onnx \(the extra `onnx`\)'),
    ('flatbuffers', '.stablehlo', r'pip install flatbuffers \(the extra'),
    ('safetensors.numpy', '.safetensors', r'pip install safetensors'),
    ('torch', '.pt', r'pip install torch \(the extra `torch`\)')])
def test_a_package_that_is_missing_is_named(
    package, ending, sentence, monkeypatch, trained, tmp_path):
  monkeypatch.setitem(sys.modules, package, None)
  with pytest.raises(InputError, match=sentence):
    export.export(trained[1], out=str(tmp_path / f'a{ending}'))
  assert not names(tmp_path)


def test_a_program_says_what_goes_in_and_out(trained, tmp_path):
  path = str(tmp_path / 'a.onnx')
  for options, goes_in, comes_out in (
      (Options(crops=9), 'uint8 [batch, 72, 72, 3]', 'the mean of 9 crops'),
      (Options(preprocessing='outside'), 'float32 [batch, 3, 64, 64]',
       'logits')):
    export.export(trained[1], out=path, options=options)
    with open(path + '.json', encoding='utf-8') as file:
      program = json.load(file)['program']
    assert program['input'].startswith(goes_in)
    assert program['output'].startswith('float32 [batch, 12]')
    assert comes_out in program['output']
