"""The events of a run are read out of a real profile."""

import itertools

import pytest
import tiny

from benchmarks import double_buffer
from benchmarks.double_buffer import Span, Step


@pytest.mark.slow
def test_every_step_has_its_batch_before_it_is_computed():
  steps = double_buffer.record(tiny.config(), 4)
  assert len(steps) == 4
  for step in steps:
    assert step.handed_over.begin < step.handed_over.end
    assert step.handed_over.begin < step.computed.begin < step.computed.end
  for before, after in itertools.pairwise(steps):
    assert before.handed_over.end <= after.handed_over.begin
    assert before.computed.end <= after.computed.begin


def test_people_read_which_batches_came_in_time():
  steps = [Step(Span(9.999, 10.0), Span(10.0, 10.1)),
           Step(Span(10.02, 10.03), Span(10.1, 10.2)),
           Step(Span(10.15, 10.21), Span(10.21, 10.3))]
  assert double_buffer.in_time(steps) == [True, False]
  printed = double_buffer.as_text(steps)
  for part in ('20.0 to 30.0', '210.0 to 300.0',
               '1 of 2 batches were handed over while'):
    assert part in printed
