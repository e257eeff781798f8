"""--task=bench: every row, ratio and table; what columns say to each other."""

import contextlib
import glob
import io
import json
from typing import NamedTuple

import jax
import jax.numpy as jnp
import nets
import numpy as np
import pytest
import tiny

from alexnet_jax.bench import input as bench_input
from alexnet_jax.bench import layers as bench_layers
from alexnet_jax.bench import text as bench_text
from alexnet_jax.errors import InputError
from alexnet_jax.network import describe
from alexnet_jax.run import experiment, typed_config
from alexnet_jax.tasks import bench

pytestmark = pytest.mark.slow

LAYERS = ['conv1', 'conv2', 'conv3', 'conv4', 'conv5', 'fc6', 'fc7', 'fc8']
ROWS = ['step', 'step with input', 'forward only', 'test, ten crops',
        'input alone', 'plain form', 'plain, as it comes']
FORMS = ['as it comes', 'folder of JPEGs', 'records of JPEGs', 'raw records']


class Benched(NamedTuple):
  """What a bench left."""

  result: dict
  lines: list[str]  # printed
  out: str  # the file
  trace: str  # the folder


@pytest.fixture(scope='module')
def quick():
  """One turn in place of many."""
  with pytest.MonkeyPatch.context() as patch:
    for name in ('TURN_SECONDS', 'LAYER_TURN_SECONDS'):
      patch.setattr(bench, name, 0.0)
    patch.setattr(bench, 'ROUNDS', 2)
    patch.setattr(bench, 'PLAIN_ROUNDS', 1)
    patch.setattr(bench, 'LAYER_ROUNDS', 1)
    patch.setattr(bench_layers, 'PEAK_SIZE', {'cpu': 128})
    patch.setattr(bench_input, 'BATCHES', 1)
    patch.setattr(bench_input, 'FORM_IMAGES', 16)
    patch.setenv('JAX_NUM_CPU_DEVICES', '2')  # of the plain form's process
    yield


@pytest.fixture(scope='module')
def benched(quick, tmp_path_factory):
  """A bench of the tiny net, a column on each of two pretended devices."""
  del quick
  folder = tmp_path_factory.mktemp('benched')
  out, trace = str(folder / 'new/bench.json'), str(folder / 'trace')
  printed = io.StringIO()
  with contextlib.redirect_stdout(printed):
    result = bench.bench(
        typed_config.read(tiny.config({'mesh.column': 2})), plain=True, out=out,
        trace=trace)
  return Benched(result, printed.getvalue().splitlines(), out, trace)


def test_every_row_has_a_speed_and_a_ratio_to_the_step(benched):
  rows = benched.result['rows']
  assert list(rows) == ROWS
  for row in rows.values():
    assert 0 < row['slowest'] <= row['images_per_second'] <= row['fastest']
    against = row['against_step']
    assert 0 < against['least'] <= against['median'] <= against['most']
  assert set(rows['step']['against_step'].values()) == {1.0}


def test_a_speed_is_counted_in_the_flops_of_what_is_done(benched):
  rows = benched.result['rows']
  per_image = {name: 1e9 * row['gflops_per_second'] / row['images_per_second']
               for name, row in rows.items() if row['gflops_per_second']}
  built = experiment.build(typed_config.read(tiny.config()), 12, 64)
  whole = describe.totals(describe.layer_rows(built.model, 12))
  assert per_image['forward only'] == pytest.approx(whole['flops'])
  assert per_image['test, ten crops'] == pytest.approx(10 * whole['flops'])
  for name in ('step', 'step with input', 'plain form', 'plain, as it comes'):
    assert per_image[name] == pytest.approx(whole['step_flops'])
  assert rows['input alone']['gflops_per_second'] is None


def test_the_last_line_is_the_file_and_the_result(benched):
  with open(benched.out, encoding='utf-8') as file:
    assert json.load(file) == benched.result
  assert json.loads(benched.lines[-1]) == benched.result


def test_people_read_every_row_and_layer(benched):
  for name, row in benched.result['rows'].items():
    [line] = [line for line in benched.lines
              if line.startswith(f'{name:<17}  ')]
    assert f'{row["images_per_second"]:.1f}' in line
    assert f'{row["against_step"]["median"]:.3f}' in line
  weights = [line.split()[0] for line in benched.lines
             if line.split()[1:2] == ['weights']]
  assert weights == LAYERS
  for name in FORMS:
    assert any(line.startswith(name) for line in benched.lines)


def test_the_machine_and_its_settings_are_named(benched):
  machine = benched.result['machine']
  assert machine['cores'] >= 1 and machine['processor']
  assert machine['devices'] == '4 x cpu'
  assert machine['settings']['JAX_NUM_CPU_DEVICES'] == '2'
  assert benched.result['mesh'] == {'data': 1, 'column': 2}
  assert benched.result['full_layers'] == 'data'
  assert benched.result['batch_size'] == 16


def test_memory_and_compilation_are_measured(benched):
  memory = benched.result['memory']
  assert memory['process_peak_bytes'] > 1e8
  assert memory['step_temporary_bytes'] > 0
  assert benched.result['compile_seconds'] > 0.1


def test_the_program_exchanges_what_is_computed(benched):
  # Bytes of what a layer reads, by two columns, there and back.
  crossings = {'conv3': 3 * 3 * 8, 'fc6': 8, 'fc7': 32, 'fc8': 12}
  assert benched.result['exchange'] == {
      name: {'computed_bytes': 8 * numbers, 'measured_bytes': 8 * numbers}
      for name, numbers in crossings.items()}


def test_every_layer_has_a_time_forward_and_backward(benched):
  layers = benched.result['layers']
  parts = layers['parts']
  assert [part['layer'] for part in parts if part['what'] == 'weights'] == (
      LAYERS)
  assert [part['what'] for part in parts if part['layer'] == 'conv1'] == [
      'weights', 'relu, local_response_norm, max_pool']
  assert [part['what'] for part in parts if part['layer'] == 'fc6'] == [
      'weights', 'relu, dropout']
  seconds = [part[way]['seconds'] for part in parts
             for way in ('forward', 'backward')]
  assert all(one > 0 for one in seconds)
  assert list(layers['others_seconds']) == ['augment', 'update']
  assert layers['sum_seconds'] == pytest.approx(
      sum(seconds) + sum(layers['others_seconds'].values()))
  assert layers['sum_over_step'] > 0


def test_layers_are_counted_in_the_flops_of_one_device(benched):
  done = {way: sum(
      1e9 * part[way]['gflops_per_second'] * part[way]['seconds']
      for part in benched.result['layers']['parts']
      if part['what'] == 'weights') for way in ('forward', 'backward')}
  built = experiment.build(typed_config.read(tiny.config()), 12, 64)
  whole = describe.totals(describe.layer_rows(built.model, 12))
  half_a_batch = 16 / 2  # one of two columns of 16 images
  assert done['forward'] == pytest.approx(half_a_batch * whole['flops'])
  assert done['forward'] + done['backward'] == pytest.approx(
      half_a_batch * whole['step_flops'])


def test_a_share_of_the_peak_belongs_to_the_turn_beside_it(benched):
  for part in benched.result['layers']['parts']:
    for way in ('forward', 'backward'):
      one = part[way]
      if part['what'] == 'weights':  # one round, so the median is the turn
        assert one['of_peak'] == pytest.approx(
            one['gflops_per_second'] / part['peak'])
      else:
        assert one['of_peak'] is one['gflops_per_second'] is None


def test_two_steps_are_recorded(benched):
  [found] = glob.glob(f'{benched.trace}/**/perfetto_trace.json.gz',
                      recursive=True)
  assert found
  assert any(benched.trace in line and 'perfetto' in line
             for line in benched.lines)


def test_input_is_measured_in_every_form(benched):
  assert list(benched.result['input']) == FORMS
  for rate in benched.result['input'].values():
    assert 0 < rate['least'] <= rate['median'] <= rate['most']


def test_the_forms_hold_the_same_pictures(tmp_path):
  source = typed_config.read(
      tiny.config({'data.train_examples': 6})).open_split('train')
  forms = bench_input.in_every_form(source, str(tmp_path), 48)
  assert list(forms) == FORMS
  records, raw = forms['records of JPEGs'], forms['raw records']
  assert [len(form) for form in forms.values()] == [6] * 4
  for i in range(6):
    difference = records[i]['image'].astype(int) - raw[i]['image']
    assert 0 < np.abs(difference).mean() < 12  # the loss of the JPEG
    assert records[i]['label'] == raw[i]['label']
  assert raw[0]['image'].shape == (48, 48, 3)
  assert source[0]['image'].shape == (72, 72, 3)
  means = lambda form: sorted(form[i]['image'].mean() for i in range(6))
  np.testing.assert_allclose(means(forms['folder of JPEGs']), means(raw),
                             atol=1)


def test_one_device_exchanges_nothing_and_is_told_how_to_measure_it(benched):
  text = bench_text.as_text(benched.result | {'exchange': {}})
  assert '--config.mesh.column=2' in text
  assert 'fc6' not in text.partition('--config.mesh.column=2')[2]


def test_divided_full_layers_are_said_to_be_timed_undivided(benched):
  whole, divided = (
      bench_text.as_text(benched.result | {'full_layers': form})
      for form in ('data', 'model'))
  for words in ('mesh 1 x 2, full layers divided\n',
                'Here the full layers are not divided'):
    assert words in divided and words not in whole


def test_other_networks_have_layers_too(quick, mesh_of):
  del quick
  net = nets.build('cifar_local', mesh_of(1, 1, 1), 10, 24, kernels=(4, 4),
                   local_kernels=(4, 4))
  params = jax.jit(net.init)(jax.random.key(0))
  parts = list(bench_layers.parts(
      net, params, jnp.ones((2, 24, 24, 3)), 10, 1, 1, 0.0))
  assert [part.layer for part in parts if part.what == 'weights'] == [
      layer.name for layer in net.layers] + ['fc8']
  assert all(part.backward.seconds > 0 for part in parts)


def test_an_out_that_is_a_folder_is_refused(tmp_path):
  with pytest.raises(InputError, match='is a folder: give the name of a file'):
    bench.bench(
        typed_config.read(tiny.config()), plain=False, out=str(tmp_path))


@pytest.mark.parametrize('flag, below', [('out', 'x.json'), ('trace', '')])
def test_a_place_below_a_file_is_refused(tmp_path, flag, below):
  file = tmp_path / 'file'
  file.write_text('')
  place = f'{file}/{below}' if below else str(file)
  with pytest.raises(InputError, match=f'--{flag}={place}') as error:
    bench.bench(typed_config.read(tiny.config()), plain=False, **{flag: place})
  assert 'give another place' in str(error.value)
