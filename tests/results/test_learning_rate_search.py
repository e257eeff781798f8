"""The learning rate search of Figure 1, on curves written by hand."""

import pytest

from alexnet_jax.errors import InputError
from alexnet_jax.results import learning_rate_search as rate_search
from alexnet_jax.results.learning_rate_search import Curve, Ratio
from alexnet_jax.tasks import figure1
from configs.cifar10 import figure1 as figure1_config

DOWN = Curve((10, 20, 30), (0.8, 0.4, 0.2))
SLOW = Curve((10, 20, 30), (0.8, 0.6, 0.5))
LATE = Curve((10, 20, 30, 40), (0.8, 0.7, 0.5, 0.1))
DIVERGED = Curve((10,), (0.3,), diverged=True)
DIVERGED_AT_ONCE = Curve(diverged=True)


def test_a_mean_has_its_position_in_the_middle_of_its_steps():
  assert rate_search.middle_iterations(
      Curve((10, 20, 40), (1, 1, 1))) == (5, 15, 30)


@pytest.mark.parametrize('goal, iterations', [
    (0.4, 15),  # on a mean
    (0.3, 20),  # half way from 15 to 25
    (0.25, 22.5),
    (0.9, 5),  # the first mean is below it already
    (0.1, None),
])
def test_the_goal_is_crossed_on_a_straight_line_between_two_means(
    goal, iterations):
  assert rate_search.iterations_to(DOWN, goal) == (
      iterations if iterations is None else pytest.approx(iterations))


def test_only_the_first_crossing_counts():
  again = Curve((10, 20, 30, 40), (0.8, 0.2, 0.6, 0.2))
  assert rate_search.iterations_to(again, 0.2) == 15


def test_an_empty_curve_has_no_crossing():
  assert rate_search.iterations_to(Curve(), 0.25) is None


def test_the_lowest_last_error_is_best_and_curves_that_diverged_come_last():
  curves = {0.1: DIVERGED, 0.01: SLOW, 0.001: DOWN, 1.0: DIVERGED_AT_ONCE}
  assert rate_search.best(curves, 2, 0.1) == (0.001, 0.01)
  assert rate_search.best(curves, 9, 0.1)[2:] == (0.1, 1.0)


def test_the_first_to_reach_the_goal_is_best_whatever_its_last_error():
  assert rate_search.best({0.1: LATE, 0.01: DOWN}, 2, 0.3) == (0.01, 0.1)
  assert LATE.errors[-1] < DOWN.errors[-1]


def test_a_decision_sees_the_curve_up_to_its_step_only():
  # The one that is behind at step 20 would be ahead at step 40.
  curves = {0.1: LATE, 0.01: SLOW}
  known = {rate: rate_search.truncated(curve, 20)
           for rate, curve in curves.items()}
  assert known[0.1] == Curve((10, 20), (0.8, 0.7))
  assert rate_search.best(known, 1, 0.05) == (0.01,)
  assert rate_search.best(curves, 1, 0.05) == (0.1,)


def test_a_run_that_diverges_later_has_not_diverged_yet():
  assert not rate_search.truncated(DIVERGED, 10).diverged
  assert rate_search.truncated(DIVERGED, 20).diverged


@pytest.mark.parametrize('first, second, ratio', [
    (DOWN, Curve((10, 20, 30, 40), (0.9, 0.8, 0.6, 0.4)),
     Ratio(pytest.approx(35 / 15), '=')),
    (DOWN, SLOW, Ratio(pytest.approx(25 / 15), '>')),
    (SLOW, DOWN, Ratio(pytest.approx(15 / 25), '<')),
    (SLOW, SLOW, Ratio(None, '=')),
    (DOWN, Curve((10,), (0.7,), True), Ratio(None, '=')),
    (DIVERGED_AT_ONCE, DOWN, Ratio(None, '=')),
])
def test_a_curve_that_stays_above_the_goal_gives_a_bound(first, second, ratio):
  assert rate_search.ratio(first, second, 0.4) == ratio


@pytest.mark.parametrize('step, logged', [
    (390, 392), (1170, 1176), (3, 98), (147, 196), (196, 196)])
def test_a_round_ends_where_a_line_is_logged(step, logged):
  assert rate_search.logged_step(step, 98) == logged


def test_figure_1_has_no_regularization_and_no_augmentation():
  config = figure1_config.get_config('tanh')
  assert config.model.nonlinearity == 'tanh'
  assert config.optimizer.weight_decay == 0
  assert not config.optimizer.layer_decays and not config.optimizer.drops
  assert not config.model.response_norm and 'dropout' not in config.model
  assert not config.augment.random_crops and not config.augment.flips
  assert config.augment.jitter == 0


@pytest.mark.parametrize('field, value, parts', [
    ('figure1.learning_rates', (), ['figure1.learning_rates=()', '0.001']),
    ('figure1.learning_rates', (0.1, 0.1), ['different numbers']),
    ('figure1.learning_rates', (0.1, -1), ['above zero']),
    ('figure1.learning_rates', (0.1, 'fast'), ["'fast'"]),
    ('figure1.rounds', (1.0, 3), ['figure1.rounds=(1.0, 3)', '((1.0, 3)']),
    ('figure1.rounds', ((1.0, 0),), ['how many rates go on']),
    ('figure1.rounds', ((3.0, 2), (1.0, 1)), ['epochs, which grow']),
    ('figure1.rounds', ((1.0, 1), (3.0, 2)), ['which shrink']),
    ('figure1.nonlinearities', ('relu',), ["('relu', 'tanh')"]),
    ('run.until_error', 0.0, ['until_error=0.0', '0.25']),
])
def test_a_search_that_cannot_work_is_refused(field, value, parts):
  config = figure1_config.get_config()
  config.update_from_flattened_dict({field: value})
  refused(config, 'figure1.png', parts)


def test_a_config_without_the_section_is_refused_with_the_one_that_has_it():
  config = figure1_config.get_config()
  del config.figure1
  refused(config, 'figure1.png', ['--config=configs/cifar10/figure1.py'])


def test_a_picture_of_another_format_is_refused():
  refused(figure1_config.get_config(), 'figure1.jpg',
          ['--out=figure1.jpg', '.png'])


def refused(config, out, parts):
  with pytest.raises(InputError) as error:
    figure1.check(config, out)
  for part in parts:
    assert part in str(error.value)


NUMBERS = {
    'data': 'CIFAR-10, 50,000 training images', 'goal': 0.25,
    'steps_per_epoch': 390, 'ratio': 4.3, 'ratio_sign': '=',
    'ratio_in_the_paper': 6.0,
    'nonlinearities': {
        'relu': {'learning_rate': 0.003, 'iterations': 1950.4, 'steps': 2058,
                 'diverged': False,
                 'rounds': [{'errors': {'0.001': 0.6, '0.003': 0.5,
                                        '0.1': 'diverged'}}]},
        'tanh': {'learning_rate': 0.001, 'iterations': None, 'steps': 7800,
                 'diverged': False,
                 'rounds': [{'errors': {'0.001': 0.7, '0.003': 0.8}}]},
    },
}


def test_the_outcome_as_text():
  text = rate_search.as_text(NUMBERS | {'ratio_sign': '>'})
  for part in (
      'ReLU, learning rate 0.003: reached 25 % training error after 1,950'
      ' iterations (5.0 epochs).',
      'tanh, learning rate 0.001: did not reach 25 % training error in 7,800'
      ' iterations (20.0 epochs).\n  That is the lowest rate tried',
      'tanh takes more than 4.3 times as many iterations as ReLU (paper: 6).'):
    assert part in text
  assert text.count('rate tried') == 1


def test_two_curves_that_miss_the_goal_have_no_ratio_in_the_text():
  assert 'no ratio' in rate_search.as_text(NUMBERS | {'ratio': None})
