"""Published errors of networks, and which of our runs stand beside them."""

import workdirs

from alexnet_jax.results import claims, history


def test_the_winners_are_one_a_year_and_ever_better():
  assert [winner.year for winner in history.WINNERS] == list(range(2010, 2018))
  errors = [winner.top5_error for winner in history.WINNERS]
  assert errors == sorted(errors, reverse=True) and errors[-1] == 2.25
  assert errors[5] < history.HUMAN_TOP5_ERROR < errors[4]


def test_the_claims_of_the_configs_are_the_published_errors():
  known = {claim.config: claim for claim in claims.read()}
  compared = 0
  for network in history.NETWORKS:
    claim = known.get(network.config)
    if claim and claim.config.startswith('history/'):
      assert (claim.top1_error, claim.top5_error) == (
          network.top1_error, network.top5_error), network.name
      compared += 1
  assert compared >= 3


def test_the_run_with_the_most_steps_counts_for_its_network(tmp_path):
  workdirs.write(tmp_path, 'history/lenet5.py', 0, 0.3, steps=200)
  long = workdirs.write(tmp_path, 'history/lenet5.py', 1, 0.2, 0.1, steps=300,
                        crops='one', name='digits', image_size=36)
  workdirs.write(tmp_path, 'history/lenet5.py:simplified', 0, 0.1, steps=900)
  workdirs.write(tmp_path, 'history/resnet.py:50,8000', 0, 0.4)
  workdirs.write(tmp_path, 'tiny_imagenet.py', 0, 0.5)
  workdirs.write(tmp_path, 'quickstart.py', 0, 0.6, steps=5000)
  chosen = history.longest_runs(workdirs.read(tmp_path))
  assert set(chosen) == {
      'history/lenet5', 'history/resnet:50', 'authors_2012'}
  assert chosen['history/lenet5'].workdir == long
  assert history.measured(chosen['history/lenet5']) == (
      '25.0 / 15.0 (digits, 36 pixels, one crop, 300 steps)')


def test_a_network_without_a_run_is_marked_so(tmp_path):
  workdirs.write(tmp_path, 'history/vgg16.py', 0, 0.45, 0.2)
  rows = {row[0]: row for row in history.as_rows(
      history.longest_runs(workdirs.read(tmp_path)))}
  assert rows['VGG-16'][1:] == (
      '2014', '28.07', '9.33', 'ILSVRC-2012, ten crops',
      '45.0 / 20.0 (tiny, 72 pixels, ten crops, 100 steps)')
  assert rows['GoogLeNet'][1:] == (
      '2014', '-', '9.15', 'ILSVRC-2012, ten crops', 'not run')
