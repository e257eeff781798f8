"""Collectives are read out of XLA's text, in every form that it prints."""

import pytest

from alexnet_jax.network import collectives
from alexnet_jax.network.collectives import Collective

LAYERS = ('conv3', 'fc6', 'fc8')


@pytest.mark.parametrize('line, joined', [
    ('replica_groups={{0,1},{2,3}}, x', [[0, 1], [2, 3]]),
    ("replica_groups=mesh['a'=2,'b'=2] {'b'}, x", [[0, 1], [2, 3]]),
    ("replica_groups=mesh['a'=2,'b'=2] {'a'}, x", [[0, 2], [1, 3]]),
    ('replica_groups=[2,2]<=[4], x', [[0, 1], [2, 3]]),
    ('replica_groups=[2,2]<=[2,2]T(1,0), x', [[0, 2], [1, 3]]),
    ('replica_groups={}, x', [[0, 1, 2, 3]]),
    ('source_target_pairs={{0,1},{1,0}}, x', [[0, 1], [1, 0]]),
])
def test_groups_are_read_in_every_form_that_xla_prints(line, joined):
  assert collectives.device_groups(line, 4) == joined


def read(text, mesh=(1, 2)):
  return collectives.find_collectives(text, mesh, LAYERS)


def test_a_gather_receives_what_each_device_lacks():
  # Two pairs; each of a pair holds half of 24 float32 and lacks the other.
  [one] = read(
      '  %g = f32[4,6]{1,0} all-gather(%x), replica_groups={{0,1},{2,3}},'
      ' metadata={op_name="jit(step)/jvp()/conv3/all_gather"}', (2, 2))
  assert one == Collective('all-gather', 'conv3', False, ('column',), 24,
                           2 * 2 * 12 * 4)


def test_a_scatter_receives_the_others_shares():
  [one] = read(
      '  %s = f32[4,3]{1,0} reduce-scatter(%x), replica_groups={{0,1}},'
      ' metadata={op_name="jit(step)/transpose(jvp())/fc6/reduce_scatter"}')
  assert one == Collective('reduce-scatter', 'fc6', True, ('column',), 12,
                           2 * 12 * 4)


def test_a_sum_is_collected_and_handed_out_again():
  [one] = read(
      '  %r = (f32[10]{0}, bf16[6]{0}) all-reduce(%x, %y),'
      ' replica_groups={{0,1,2,3}}, metadata={op_name="jit(step)/fc8/dot"}',
      (1, 4))
  assert one == Collective('all-reduce', 'fc8', False, ('column',), 16,
                           2 * 3 * (10 * 4 + 6 * 2))


def test_what_is_passed_on_is_received_once():
  [one] = read('%p = f32[4,6]{1,0} collective-permute(%x),'
               ' source_target_pairs={{0,1},{1,0}}')
  assert one == Collective('collective-permute', '', False, ('column',), 24,
                           2 * 24 * 4)


@pytest.mark.parametrize('at_once, in_two', [
    ('f32[4,6]{1,0} all-gather(', '(f32[4,3]{1,0}, f32[4,6]{1,0})'
     ' all-gather-start('),
    ('f32[4,3]{1,0} reduce-scatter(', '(f32[4,6]{1,0}, f32[4,3]{1,0})'
     ' reduce-scatter-start('),
    ('f32[5]{0} all-reduce(', 'f32[5]{0} all-reduce-start('),
])
def test_a_collective_that_runs_beside_others_counts_the_same(at_once, in_two):
  rest = '%x), replica_groups={{0,1}}, metadata={op_name="a/fc6/b"}'
  assert read(f'%a = {in_two}{rest}') == read(f'%a = {at_once}{rest}') != []


def test_the_axis_is_that_along_which_devices_differ():
  text = '%r = f32[5] all-reduce(%x), replica_groups={{0,2},{1,3}}, x'
  assert [one.axes for one in read(text, (2, 2))] == [('data',)]
  assert [one.axes for one in read(text, (1, 4))] == [('column',)]


def test_devices_that_talk_to_nobody_are_left_out():
  assert not read('%r = f32[5] all-reduce(%x), replica_groups={{0},{1}}')
  assert not read('%d = f32[5] all-reduce-done(%x)')


def test_what_columns_exchange_is_summed_by_layer_and_image():
  def one(layer, axes, received):
    return Collective('all-gather', layer, False, axes, 1, received)

  assert collectives.exchanged_bytes([
      one('conv3', ('column',), 80), one('conv3', ('column',), 40),
      one('fc6', ('data', 'column'), 8), one('fc6', ('data',), 100),
  ], batch_size=4) == {'conv3': 30, 'fc6': 2}
