"""Signals ask a run to save and leave."""

import os
import signal

import pytest

from alexnet_jax.run.preemption import StopRequest


@pytest.fixture
def stop():
  stop = StopRequest(None)
  yield stop
  stop.uninstall()


@pytest.mark.parametrize('name', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_to_stop(stop, name):
  assert not stop.requested(1)
  os.kill(os.getpid(), name)
  assert stop.requested(2) and stop.requested(3)


def test_a_second_control_c_is_not_swallowed(stop):
  os.kill(os.getpid(), signal.SIGINT)
  with pytest.raises(KeyboardInterrupt):
    os.kill(os.getpid(), signal.SIGINT)


def test_the_signals_are_given_back():
  before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
  stop = StopRequest(None)
  assert signal.getsignal(signal.SIGTERM) not in before
  stop.uninstall()
  assert (signal.getsignal(signal.SIGTERM),
          signal.getsignal(signal.SIGINT)) == before


@pytest.mark.parametrize('name', [signal.SIGTERM, signal.SIGINT])
def test_whoever_asks_when_all_is_saved_is_obeyed_at_once(stop, name):
  stop.exit_on_signal()
  with pytest.raises(SystemExit) as left:
    os.kill(os.getpid(), name)
  assert left.value.code in (0, None)
