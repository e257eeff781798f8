"""The arithmetic of docs/scaling.md."""

import pathlib

import pytest

from benchmarks import scaling

NETWORK = scaling.Network(
    step_flops=4e9, parameters=1000, exchanged_bytes=800, crossings=2)
# Computing and the links are so slow that nothing else counts.
DEVICE = scaling.Device('slow', 1e9, 1e30, 10, 5, 2, 1.0, 0.0)


def test_one_device_only_computes():
  assert scaling.step(NETWORK, DEVICE, 1, 1, 3) == (3, 12.0, 0.0, 0.0)


def test_columns_halve_the_computing_and_exchange_their_maps():
  assert scaling.step(NETWORK, DEVICE, 1, 2, 3) == (3, 6.0, 3 * 400 / 10, 0.0)


def test_shards_pass_every_gradient_twice_but_for_their_share():
  at = scaling.step(NETWORK, DEVICE, 2, 1, 3)
  assert at == (6, 12.0, 0.0, 4000 / 10)
  far = scaling.step(NETWORK, DEVICE, 4, 1, 3)
  assert far.gradients == pytest.approx(1.5 * 4000 / 5)  # between machines


def test_memory_limits_what_computes_little():
  slow = DEVICE._replace(flops=1e30, memory=1e6, roofline=0.5)
  traffic = 3 * scaling.ACTIVATION_BYTES + 8 * 4 * 1000
  assert scaling.step(NETWORK, slow, 1, 1, 3).compute == pytest.approx(
      traffic / 1e6 / 0.5)


def test_overlap_hides_the_smaller_of_the_two():
  at = scaling.Step(6, 12.0, 1.0, 400.0)
  assert at.seconds(overlapped=False) == 413
  assert at.seconds(overlapped=True) == 400


def test_the_share_of_its_peak_that_a_gtx_580_reached_is_the_papers():
  # Five to six days for 90 epochs on two GPUs (section 5), by hand: the
  # multiply-adds of Figure 2 in one image, three times for a training step.
  flops = 3 * 2 * 689_900_000 * 90 * 1_281_167
  least, most = (flops / 2 / (days * 86400 * 1.58e12) for days in (6, 5))
  assert least < scaling.GTX_580.roofline < most
  step = scaling.step(scaling.paper_network(), scaling.GTX_580, 1, 2, 128)
  assert step.exchange < 0.02 * step.compute


def test_the_page_has_the_tables_of_today():
  page = pathlib.Path(__file__).parents[2] / 'docs' / 'scaling.md'
  network = scaling.paper_network()
  for device in (scaling.GTX_580, *scaling.H200):
    assert scaling.table(network, device) in page.read_text('utf-8')
