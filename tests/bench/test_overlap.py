"""What runs between the start and the end of an exchange is found."""

import pathlib

from alexnet_jax.bench import overlap, traffic

HERE = pathlib.Path(__file__).parent


def test_every_collective_says_what_runs_while_it_is_under_way():
  gather, scatter, reduce = overlap.collectives(
      traffic.parse((HERE / 'two_gpus.hlo').read_text()), (1, 2),
      ['fc6', 'fc7', 'fc8'])
  assert gather == overlap.Collective(
      'all-gather', 'fc6', False, 1, 32, True, 2, 2 * 512)
  assert scatter == overlap.Collective(
      'reduce-scatter', 'fc7', True, 1, 32, True, 0, 0)
  assert reduce == overlap.Collective(
      'all-reduce', 'fc8', False, 1, 32, False, 0, 0)


def test_a_tpu_computes_in_the_fusions_that_move_an_exchange_on():
  [gather] = overlap.collectives(
      traffic.parse((HERE / 'two_tpus.hlo').read_text()), (1, 2), ['conv3'])
  assert gather == overlap.Collective(
      'all-gather', 'conv3', False, 1, 2048, True, 1, 2 * 4096)
