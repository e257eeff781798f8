"""Rows take turns; what is compared was measured in the same round."""

import time

import pytest

from alexnet_jax.bench import turns


class Scripted:
  """A row that takes as long as it is told, and notes when it was asked."""

  def __init__(self, name, seconds, asked):
    self.seconds = []
    self._name, self._script, self._asked = name, iter(seconds), asked

  def turn(self):
    self._asked.append(self._name)
    self.seconds.append(next(self._script))


def test_rows_take_turns_and_slow_ones_leave_early():
  asked = []
  rows = {name: Scripted(name, [1.0] * 3, asked) for name in ('a', 'b', 'slow')}
  turns.take_turns(rows, {'a': 3, 'b': 3, 'slow': 1})
  assert asked == ['a', 'b', 'slow', 'b', 'a', 'a', 'b']


def test_a_ratio_is_taken_round_by_round():
  # The machine was twice as slow in the second round and thrice in the third.
  reference = Scripted('step', [1.0, 2.0, 3.0], [])
  row = Scripted('row', [0.5, 1.0, 1.0], [])
  turns.take_turns({'step': reference, 'row': row}, 3)
  assert turns.ratio(row, reference) == turns.Spread(2.0, 2.0, 3.0)


def test_a_row_of_fewer_rounds_is_compared_with_the_same_rounds():
  reference = Scripted('step', [1.0, 1.0, 9.0], [])
  row = Scripted('row', [2.0, 4.0], [])
  turns.take_turns({'step': reference, 'row': row}, {'step': 3, 'row': 2})
  assert turns.ratio(row, reference) == turns.Spread(0.375, 0.25, 0.5)


class Clock:
  """Time passes only while somebody works."""

  def __init__(self):
    self.now, self.done = 0.0, 0

  def work_for(self, seconds):
    self.now += seconds
    self.done += 1


@pytest.fixture
def clock(monkeypatch):
  clock = Clock()
  monkeypatch.setattr(time, 'perf_counter', lambda: clock.now)
  return clock


def test_a_quick_row_repeats_and_notes_the_time_of_one(clock):
  row = turns.Row(lambda: clock.work_for(0.25), turn_seconds=2.0)
  row.warm_up()
  assert clock.done == 2 and not row.seconds
  row.turn()
  assert clock.done == 2 + 1 + 8
  assert row.seconds == [0.25]


def test_a_slow_row_is_timed_once_a_turn(clock):
  row = turns.Row(lambda: clock.work_for(4.0), turn_seconds=2.0)
  row.warm_up()
  row.turn()
  assert clock.done == 2 + 1 + 1
  assert row.seconds == [4.0]


def test_memory_that_is_taken_again_does_not_count(clock):
  times = iter([1.0, 1.0, 5.0, 1.0])  # the first after others had their turn
  row = turns.Row(lambda: clock.work_for(next(times)))
  row.warm_up()
  row.turn()
  assert row.seconds == [1.0]


def test_compiling_does_not_count_as_work(clock):
  times = iter([100.0, *[1.0] * 4])  # the first call compiles
  row = turns.Row(lambda: clock.work_for(next(times)), turn_seconds=2.0)
  row.warm_up()
  row.turn()
  assert clock.done == 2 + 1 + 2
