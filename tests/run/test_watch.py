"""What a run says when it goes wrong."""

import math

import jax.numpy as jnp
import pytest

from alexnet_jax.errors import InputError
from alexnet_jax.run.watch import LossMonitor, check_finite

CHANCE = math.log(10)


def said_after(losses, stall_steps=4):
  said = []
  watch = LossMonitor(10, stall_steps, said.append)
  for step, loss in enumerate(losses, 1):
    watch.observe(step, loss, None)
  return said


def test_a_loss_that_stays_at_chance_is_said_once_with_the_cures():
  (sentence,) = said_after([CHANCE + 0.01 * (-1)**i for i in range(20)])
  for part in ('2.303', '4 steps', 'step 4', 'ln(classes)', 'goes on unchanged',
               'known cures', 'authors_2012', 'biases', 'seed',
               'learning_rate', '0..255'):
    assert part in sentence


def test_a_loss_at_chance_is_not_said_before_its_time():
  assert not said_after([CHANCE] * 3)


@pytest.mark.parametrize('losses', [
    [CHANCE - 0.05 * i for i in range(20)],  # learns
    [CHANCE + 1] * 20,  # is bad in another way
    [CHANCE, CHANCE, 1.0] * 7,
])
def test_another_loss_is_not_said(losses):
  assert not said_after(losses)


def test_a_loss_that_falls_back_to_chance_is_said():
  assert len(said_after([1.0] * 10 + [CHANCE] * 10)) == 1


def test_nothing_is_said_where_nobody_asked():
  assert not said_after([CHANCE] * 20, stall_steps=0)


@pytest.mark.parametrize('loss', [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize('newest, saved', [
    (None, 'no checkpoint has been saved'), (400, 'is of step 400')])
@pytest.mark.parametrize('stall_steps', [0, 4])
def test_a_loss_that_is_no_number_stops_the_run(
    loss, newest, saved, stall_steps):
  watch = LossMonitor(10, stall_steps, print)
  watch.observe(410, 2.0, newest)
  with pytest.raises(InputError) as error:
    watch.observe(411, loss, newest)
  for part in (f'the loss is {loss} at step 411', saved,
               'config.optimizer.learning_rate', '--workdir'):
    assert part in str(error.value)


def test_finite_parameters_may_be_saved():
  check_finite({'a': jnp.ones(3), 'b': {'c': jnp.zeros((2, 2))}}, 5, None)


@pytest.mark.parametrize('wrong', [math.nan, math.inf, -math.inf])
def test_one_parameter_that_is_no_number_stops_the_run(wrong):
  params = {'a': jnp.ones(3), 'b': jnp.zeros((2, 2)).at[1, 0].set(wrong)}
  with pytest.raises(InputError) as error:
    check_finite(params, 6, 5)
  for part in ('parameters are not finite at step 6', 'is of step 5'):
    assert part in str(error.value)
