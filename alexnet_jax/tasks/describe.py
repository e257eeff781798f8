"""--task=describe: the per-layer table of a config's network."""

from ml_collections import ConfigDict

from alexnet_jax.errors import InputError
from alexnet_jax.network import columns
from alexnet_jax.network import describe as description
from alexnet_jax.run import experiment

PAPER_CLASSES = 1000


def describe(config: ConfigDict, as_json: bool) -> None:
  """Prints shapes, neurons, parameters, FLOPs and bytes exchanged.

  Needs no data: without the data set the network gets the paper's 1000
  classes. Needs no second device either: the table is the plan.

  Args:
    config: the experiment.
    as_json: for machines.
  """
  try:
    num_classes = len(experiment.open_split(config, 'train').class_names)
  except InputError:
    num_classes = PAPER_CLASSES
  experiment.check_counts(config)
  mesh = columns.make_mesh(1, 1, config.model.num_columns)
  model = experiment.build_model(config, mesh, num_classes)
  rows = description.rows(model, num_classes)
  print(description.as_json(rows) if as_json else description.as_text(rows))
