"""The benchmark of input runs on a small network."""

import pytest
from absl import flags

from benchmarks import input as inputs
from configs import quickstart

# Grain's worker processes look at absl's flags.
if not flags.FLAGS.is_parsed():
  flags.FLAGS.mark_as_parsed()


@pytest.mark.slow
def test_every_kind_of_input_gets_a_ratio():
  config = quickstart.get_config()
  config.model.kernels = (4, 4, 6, 6, 4)
  config.model.neurons = (16, 16)
  config.data.train_examples = 64
  config.optimizer.batch_size = 8
  found = inputs.measure(config, rounds=2, turn_seconds=0.0)
  assert list(found) == [inputs.READY, *inputs.KINDS]
  assert set(found[inputs.READY].values()) == {1.0}
  for ratio in found.values():
    assert 0 < ratio['least'] <= ratio['median'] <= ratio['most']
