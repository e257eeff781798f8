"""What each ablation changes, and how its name and form are given."""

import functools

import pytest
from ml_collections import ConfigDict

from alexnet_jax.run import experiment, memory, typed_config
from configs import ablations, authors_2012, paper
from configs.ablations import ABLATIONS, FORMS


@functools.cache
def fields_of(name, form):
  """{'section.field': value} of an ablation's config."""
  config = ablations.get_config(f'{name},{form}')
  return {
      f'{section}.{field}': value for section, fields in config.items()
      if isinstance(fields, ConfigDict) for field, value in fields.items()
  } | {section: value for section, value in config.items()
       if not isinstance(value, ConfigDict)}


@pytest.mark.parametrize('form', FORMS)
def test_an_ablation_changes_every_field_of_its_row_and_no_other(form):
  baseline = fields_of('baseline', form)
  for name, row in ABLATIONS.items():
    changed = {field: value for field, value in fields_of(name, form).items()
               if value != baseline[field]}
    model = ablations.get_config(f'baseline,{form}').model
    fields = row.fields(model) if callable(row.fields) else row.fields
    assert changed == fields, name


def test_every_ablation_but_the_baseline_is_another_experiment():
  changes = [str(sorted(fields_of(name, 'small').items()))
             for name in ABLATIONS]
  assert len(set(changes)) == len(ABLATIONS)


@pytest.mark.parametrize('form', ['paper', 'small'])
def test_one_column_of_the_same_size_has_the_parameters_of_two(form):
  count = {}
  for name in ('baseline', 'one_column_same_size'):
    settings = typed_config.read(ablations.get_config(f'{name},{form}'))
    count[name] = memory.count_parameters(
        experiment.build(settings, 1000, 10**6))
  assert count['one_column_same_size'] == pytest.approx(
      count['baseline'], rel=0.02)
  assert count['one_column_same_size'] != count['baseline']


def test_pairs_of_columns_have_the_parameters_of_the_programs_net_129():
  count = [memory.count_parameters(experiment.build(typed_config.read(
      ablations.get_config(f'{name},paper')), 1000, 10**6))
           for name in ('four_columns', 'paired_columns')]
  # #129 has 61,557,992, of which 19,200 are those of a blurred second input.
  assert count == [62_423_528, 61_557_992 - 19_200]


def test_the_default_is_the_baseline_in_the_form_of_the_program():
  assert ablations.get_config() == authors_2012.get_config()
  assert ablations.get_config('baseline,paper') == paper.get_config()
  for name in ABLATIONS:
    assert ablations.get_config(name) == ablations.get_config(
        f'{name},authors_2012')


@pytest.mark.parametrize('argument, message', [
    ('no_nrm', r"no ablation 'no_nrm': .*no_norm, .* behind the colon\.$"),
    ('small', r"no ablation 'small'"),
    ('no_norm,tiny',
     r"no form 'tiny': .*paper, small, overfit, converged behind the comma\.$"),
    ('no_norm,small,paper', r"no form 'small,paper'"),
])
def test_an_unknown_name_or_form_is_answered_with_the_known_ones(
    argument, message):
  with pytest.raises(ValueError, match=message):
    ablations.get_config(argument)
