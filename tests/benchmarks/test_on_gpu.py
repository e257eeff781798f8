"""What a GPU told is collected, also if a part of it failed."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from benchmarks import on_gpu

SCRIPT = pathlib.Path(on_gpu.__file__).with_suffix('.sh')


def test_no_step_is_faster_than_its_bytes_or_its_arithmetic():
  least = lambda arithmetic, flops, moved: on_gpu.roofline_seconds(
      'NVIDIA H100 80GB HBM3', arithmetic, flops, moved)
  assert least('bfloat16', 989.4e12, 3.35e12) == pytest.approx(1)
  assert least('bfloat16', 989.4e12, 6.7e12) == pytest.approx(2)
  assert least('strict', 989.4e12, 6.7e12) == pytest.approx(14.79, abs=0.01)
  assert on_gpu.roofline_seconds('TPU v3', 'strict', 1, 1) is None


def test_parts_that_failed_are_in_the_result(tmp_path, capsys):
  (tmp_path / 'parts_speed.jsonl').write_text(
      '{"part": "tests", "code": 1, "seconds": 7}\n')
  (tmp_path / 'parts_compiled.jsonl').write_text(
      '{"part": "bench", "code": 124, "seconds": 90}\n')
  (tmp_path / 'tests.xml').write_text(
      '<testsuites><testsuite tests="2" failures="1" errors="0" skipped="0">'
      '<testcase name="test_a"/><testcase name="test_b"><failure/></testcase>'
      '</testsuite></testsuites>')
  (tmp_path / 'step_128.json').write_text(json.dumps({
      'machine': {'device': 'NVIDIA H200'}, 'versions': {'jax': '0.11.2'},
      'modes': [{'batch': 128, 'contenders': {
          'ours': {'variant': {'arithmetic': 'default'}, 'flops': 1e12,
                   'moved_bytes': 4.8e9,
                   'images_per_second': {'median': 32000.0}},
          'pytorch': {'variant': {}, 'failed': 'no memory'}}}]}))
  on_gpu.main([str(tmp_path)])
  assert capsys.readouterr().out.splitlines() == [
      'step_128 ours: 32000 images/s, 51% of the roofline',
      'step_128 pytorch: no memory']
  found = json.loads((tmp_path / 'on_gpu.json').read_text())
  assert [part['code'] for part in found['parts']] == [124, 1]
  assert found['tests']['failed'] == ['test_b']
  assert found['machine']['device'] == 'NVIDIA H200'


def test_a_call_that_has_no_time_left_still_writes_what_is_missing(tmp_path):
  path = f'{os.path.dirname(sys.executable)}:{os.environ["PATH"]}'
  for call in ('speed', 'compiled'):
    subprocess.run(['bash', SCRIPT, call, tmp_path], check=True,
                   env=os.environ | {'SECONDS_LEFT': '0', 'PATH': path})
  found = json.loads((tmp_path / 'on_gpu.json').read_text())
  assert {part['code'] for part in found['parts']} == {124}
  assert [part['part'] for part in found['parts']] == [
      'compiled_512', 'bench',
      'surroundings', 'tests', 'step_128', 'step_512', 'step_1024']
