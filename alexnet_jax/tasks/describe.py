"""--task=describe: the network as a table, a line a layer."""

from absl import flags

from alexnet_jax.command_line.invocation import Invocation
from alexnet_jax.errors import InputError
from alexnet_jax.network import describe as description
from alexnet_jax.network import placement
from alexnet_jax.run import typed_config
from alexnet_jax.run.typed_config import Settings

CONFIG = 'required'
PAPER_CLASSES = 1000


def define_flags(values: flags.FlagValues) -> None:
  """Defines the flags of this task."""
  flags.DEFINE_bool('json', False, 'Print JSON.', flag_values=values)


def run(invocation: Invocation) -> None:
  """Prints the table."""
  describe(typed_config.read(invocation.config), invocation.flags.json)


def describe(settings: Settings, as_json: bool) -> None:
  """Prints shapes, neurons, parameters, FLOPs and bytes exchanged.

  This needs no data: without the data set the network has the paper's 1000
  classes. It also needs only one device.
  """
  try:
    num_classes = len(settings.open_split('train').class_names)
  except InputError:
    num_classes = PAPER_CLASSES
  mesh = placement.make_mesh(1, 1, settings.model.num_columns)
  model = settings.build_model(mesh, num_classes)
  rows = description.layer_rows(model, num_classes)
  print(description.as_json(rows) if as_json else description.as_text(rows))
