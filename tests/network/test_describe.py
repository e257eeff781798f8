"""The table of a network: the paper's numbers, and what crossings cost."""

import json

import nets
import pytest

from alexnet_jax.network import describe

# Millions of multiplications and additions per image.
MACS = {'conv1': 105.4, 'conv2': 223.9, 'conv3': 149.5, 'conv4': 112.1,
        'conv5': 74.8, 'fc6': 37.7, 'fc7': 16.8, 'fc8': 4.1}


@pytest.fixture(scope='module')
def rows_at(mesh_of):
  """Build arguments -> the rows of a paper-size net; nothing is drawn."""

  def rows(name='alexnet', num_classes=1000, **fields):
    mesh = mesh_of(1, 1, fields.get('num_columns', 2))
    return describe.layer_rows(
        nets.build(name, mesh, num_classes, 224, **fields), num_classes)

  return rows


@pytest.fixture(scope='module')
def paper(rows_at):
  return rows_at()


@pytest.fixture(scope='module')
def one_gpu(rows_at):
  return rows_at(num_columns=1, kernels=(48, 128, 192, 192, 256),
                 neurons=(4096, 4096))


def column(rows, name):
  return {row.layer: getattr(row, name) for row in rows}


def test_neurons_and_parameters_are_those_of_the_paper(paper):
  assert list(column(paper, 'neurons').values()) == [
      290_400, 186_624, 64_896, 64_896, 43_264, 4096, 4096, 1000]
  assert list(column(paper, 'parameters').values()) == [
      34_944, 307_456, 885_120, 663_936, 442_624, 37_752_832, 16_781_312,
      4_097_000]
  whole = describe.totals(paper)
  assert whole['neurons'] == 659_272
  assert whole['parameters'] == 60_965_224


def test_the_one_gpu_net_is_net_145_half(one_gpu):
  whole = describe.totals(one_gpu)
  assert whole['neurons'] == 355_864
  assert whole['parameters'] == 59_798_312


def test_a_row_shows_one_column_as_figure_2_does(paper):
  conv2, conv3, fc6 = paper[1], paper[2], paper[5]
  assert conv2.reads == (27, 27, 48)
  assert conv2.kernel == (5, 5, 48, 128) and conv2.shape == (27, 27, 128)
  assert conv3.reads == (13, 13, 256)
  assert conv3.kernel == (3, 3, 256, 192) and conv3.shape == (13, 13, 192)
  assert fc6.reads == (6, 6, 256)
  assert fc6.kernel == (9216, 2048) and fc6.shape == (2048,)


def test_flops_are_two_for_each_multiplication_and_addition(paper):
  macs = {name: flops / 2e6 for name, flops in column(paper, 'flops').items()}
  assert macs == pytest.approx(MACS, abs=0.051)
  assert describe.totals(paper)['flops'] == pytest.approx(1.449e9, rel=5e-4)


def test_a_step_needs_no_gradient_of_the_pixels(paper):
  for row in paper:
    assert row.step_flops == (2 if row.layer == 'conv1' else 3) * row.flops
  assert describe.totals(paper)['step_flops'] == pytest.approx(
      4.136e9, rel=5e-4)


def test_columns_exchange_bytes_where_they_cross_and_nowhere_else(paper):
  # Each of two columns receives half of what it reads, and answers as much.
  assert column(paper, 'exchanged_bytes') == {
      'conv1': 0, 'conv2': 0, 'conv3': 13 * 13 * 256 * 4 * 2, 'conv4': 0,
      'conv5': 0, 'fc6': 6 * 6 * 256 * 4 * 2, 'fc7': 4096 * 4 * 2,
      'fc8': 1000 * 4 * 2}  # sums for the classes, not features


def test_each_of_four_columns_receives_three_quarters(rows_at):
  conv3 = rows_at(num_columns=4, kernels=(24, 64, 96, 96, 64),
                  neurons=(1024, 1024))[2]
  assert conv3.reads == (13, 13, 256)
  received = 4 * (13 * 13 * 256 * 4) * 3 // 4
  assert conv3.exchanged_bytes == 2 * received


def test_four_columns_on_two_devices_exchange_as_two_columns_do(mesh_of, paper):
  four = nets.build('alexnet', mesh_of(1, 1, 4), 1000, 224, num_columns=4,
                      kernels=(24, 64, 96, 96, 64), neurons=(1024, 1024))
  assert column(describe.layer_rows(four, 1000, devices=2),
                'exchanged_bytes') == column(paper, 'exchanged_bytes')


def test_columns_on_one_device_exchange_nothing(mesh_of):
  net = nets.build('alexnet', mesh_of(1, 1), 1000, 224)
  rows = describe.layer_rows(net, 1000, devices=1)
  assert set(column(rows, 'exchanged_bytes').values()) == {0}


def test_one_column_exchanges_nothing(one_gpu):
  assert set(column(one_gpu, 'exchanged_bytes').values()) == {0}
  assert describe.totals(one_gpu)['ratio'] == 0


def test_without_cross_talk_only_sums_for_the_classes_are_exchanged(rows_at):
  rows = rows_at(crossings=('fc8',))
  talking = [row.layer for row in rows if row.exchanged_bytes]
  assert talking == ['fc8']
  assert rows[2].kernel == (3, 3, 128, 192)


def test_the_ratio_is_bytes_per_flop_of_a_step(paper):
  for row in paper:
    assert row.ratio == pytest.approx(row.exchanged_bytes / row.step_flops)
  whole = describe.totals(paper)
  assert whole['ratio'] == pytest.approx(
      sum(row.exchanged_bytes for row in paper)
      / sum(row.step_flops for row in paper))


def test_the_table_has_a_line_for_each_layer_and_one_for_the_total(paper):
  head, *lines = describe.as_text(paper).splitlines()
  assert head.split()[:4] == ['layer', 'reads', 'kernel', 'shape']
  assert [line.split()[0] for line in lines[:9]] == [*MACS, 'total']
  conv1, total = lines[0].split(), lines[8].split()
  assert conv1[:6] == ['conv1', '224x224x3', '11x11x3x48', '55x55x48',
                       '290,400', '34,944']
  assert total[1:3] == ['659,272', '60,965,224']
  assert len({len(line) for line in [head, *lines[:9]]}) == 1


def test_the_slip_in_figure_2_is_named_under_the_papers_net_only(
    paper, one_gpu):
  text = describe.as_text(paper)
  assert '253,440' in text and '55*55*96 = 290,400' in text
  assert '253,440' not in describe.as_text(one_gpu)


def test_programs_read_the_same_numbers(paper):
  read = json.loads(describe.as_json(paper))
  assert read['totals'] == describe.totals(paper)
  assert [layer['layer'] for layer in read['layers']] == list(MACS)
  assert read['layers'][2] == {
      'layer': 'conv3', 'reads': [13, 13, 256], 'kernel': [3, 3, 256, 192],
      'shape': [13, 13, 192], 'neurons': 64_896, 'parameters': 885_120,
      'flops': paper[2].flops, 'step_flops': paper[2].step_flops,
      'map_bytes': 4 * 64_896,
      'exchanged_bytes': 346_112, 'ratio': paper[2].ratio}


def test_other_wirings_and_class_counts_have_a_table_too(rows_at):
  rows = rows_at('alexnet_2012', num_classes=10)
  assert rows[-1].neurons == 10 and rows[-1].parameters == 40_970
