"""The fields of a config, and the values that each may have.

`FIELDS` has one line for every field of every file in configs/. `check` refuses
any other field, and any other value, such as NaN, a negative batch or a string
where a name is meant, before data are read and before anything compiles. What
depends on several fields, on the data or on the machine is checked where it is
used.
"""

import difflib
from collections.abc import Mapping

from ml_collections import ConfigDict

from alexnet_jax.config_files import fields
from alexnet_jax.data import check as picture_check
from alexnet_jax.data import images, records, sources
from alexnet_jax.errors import InputError, shortened
from alexnet_jax.learning import augment, optimizer, schedules
from alexnet_jax.network import (
  classifier,
  full_layers,
  fused,
  models,
  resnet,
)
from alexnet_jax.run.ranges import (
  Choice,
  Each,
  Integer,
  Range,
  Real,
  Rows,
  Switch,
  Text,
)

INT32 = 2**31 - 1  # steps are counted in 32 bits
EPOCHS, SIDE, UNITS = 10**6, 2**14, 2**20  # beyond any experiment

EPOCH, FACTOR = Integer(1, EPOCHS), Real(0, 1e6)
LAYER = Text('the name of a layer')
RATE = Real(0, 1e9, above_least=True)
LAYERS = Each(LAYER, ('conv1',))
DROPS = Rows((EPOCH, FACTOR), (25, 0.1), ascending=True)
COUNT = Integer(0, INT32)  # where 0 has a meaning of its own
NONLINEARITY = Choice(tuple(classifier.NONLINEARITIES))

FIELDS: Mapping[str, Range] = {
    'seed': Integer(0, 2**32 - 1),
    'precision': Choice(tuple(models.PRECISIONS)),

    'model.name': Choice(tuple(models.NETWORKS)),
    'model.num_columns': Integer(1, 16),
    'model.crossings': Each(LAYER, ('conv3', 'fc8')),
    'model.partners': Each(
        Each(Integer(0, 15), (0, 1)), ((0, 1), (0, 1), (2, 3), (2, 3))),
    'model.partner_layers': LAYERS,
    'model.kernels': Each(Integer(1, UNITS), (48, 128, 192, 192, 128)),
    'model.local_kernels': Each(Integer(1, UNITS), (64, 32)),
    'model.neurons': Each(Integer(1, UNITS), (2048, 2048)),
    'model.stddevs': Each(Real(0, 1000), (0.01, 0.03)),
    'model.biases': Each(Real(-1000, 1000), (0.0, 1.0)),
    'model.nonlinearity': NONLINEARITY,
    'model.response_norm': Switch(),
    'model.norm_k': Real(0, 1e6, above_least=True),
    'model.norm_n': Integer(1, 1000),
    'model.norm_size': Integer(1, 1000),
    'model.norm_alpha': Real(0, 1e6),
    'model.norm_beta': Real(0, 100),
    'model.norm': Choice(('response', 'batch', 'none')),
    'model.norm_momentum': Real(0, 1),
    'model.norm_epsilon': Real(0, 1, above_least=True),
    'model.norm_after_pooling': Switch(),
    'model.norm_groups': Integer(1, 64),
    'model.groups': Each(Integer(1, UNITS), (1, 2, 1, 2, 2)),
    'model.conv1_padding': Integer(0, 1000),
    'model.pooling_rounds_up': Switch(),
    'model.dropout_before': Each(LAYER, ('fc6', 'fc7')),
    'model.pixel_stddevs': Each(
        Real(0, 1e6, above_least=True), (58.395, 57.12, 57.375)),
    'model.within_map_size': Integer(1, 1000),
    'model.within_map_alpha': Real(0, 1e6),
    'model.overlapping_pooling': Switch(),
    'model.dropout': Switch(),
    'model.inverted_dropout': Switch(),
    'model.without': Each(LAYER, ('conv3',)),
    'model.bottleneck': Integer(0, UNITS),
    'model.blocks': Each(Integer(1, 1000), (3, 4, 6, 3)),
    'model.bottlenecks': Switch(),
    'model.shortcut': Choice(resnet.SHORTCUTS),
    'model.small_images': Switch(),
    'model.stride_in_3x3': Switch(),
    'model.centered_pooling': Switch(),
    'model.width': Real(0, 64, above_least=True),
    'model.large_kernel': Choice((3, 5)),
    'model.last_pooling': Choice((2, 3)),
    'model.dropout_rate': Real(0, 1, below_most=True),
    'model.side_classifiers': Switch(),
    'model.side_weight': Real(0, 1000),
    'model.bias': Real(0, 1000),
    'model.simplified': Switch(),
    'model.codes': Switch(),
    'model.pixel_scale': Real(0, 1e6, above_least=True),
    'model.convolutions': Each(Integer(1, 1000), (2, 2, 3, 3, 3)),
    'model.stddev': Real(0, 1000),

    'data.name': Choice(sources.NAMES),
    'data.path': Text('a path'),
    'data.labels': Text('a path'),
    'data.check': Choice(picture_check.MODES),
    'data.resize': Choice(images.RESIZES),
    'data.store': Choice(records.STORES),
    'data.image_size': Integer(1, SIDE),
    'data.validation_fraction': Real(0, 1, above_least=True, below_most=True),
    'data.train_examples': COUNT,
    'data.validation_examples': COUNT,
    'data.reshuffle': Switch(),

    'augment.crop': Integer(1, SIDE),
    'augment.mean_pixel': Each(Real(0, 255), (122.7, 116.7, 104.0)),
    'augment.pad': Integer(0, SIDE),
    'augment.scale': Each(Integer(1, SIDE), (256, 512)),
    'augment.random_crops': Switch(),
    'augment.flips': Switch(),
    'augment.share_crops': Integer(1, UNITS),
    'augment.jitter': Real(0, 1000),
    'augment.jitter_scale': Choice(('stddev', 'eigenvalue')),
    'augment.jitter_rescale': Switch(),
    'augment.jitter_until': Integer(0, EPOCHS),

    'optimizer.batch_size': Integer(1, UNITS),
    'optimizer.accumulate': Integer(1, UNITS),
    'optimizer.rule': Choice(tuple(optimizer.RULES)),
    'optimizer.momentum': Real(0, 1, below_most=True),
    'optimizer.weight_decay': Real(0, 1000),
    'optimizer.learning_rate': RATE,
    'optimizer.plateau': Switch(),
    'optimizer.plateau_factor': Real(1, 1e6),
    'optimizer.plateau_drops': Integer(0, 1000),
    'optimizer.plateau_patience': Integer(1, INT32),
    'optimizer.drops': DROPS,
    'optimizer.schedule': Choice(schedules.NAMES),
    'optimizer.warmup': Real(0, EPOCHS),
    'optimizer.target_factor': Real(1, 1e9),
    'optimizer.schedule_levels': Integer(2, EPOCHS),
    'optimizer.bias_rate': FACTOR,
    'optimizer.bias_drops': DROPS,
    'optimizer.layer_drops': Rows(
        (LAYER, EPOCH, FACTOR), ('conv1', 67, 0.001), ascending=True),
    'optimizer.layer_rates': Rows((LAYER, FACTOR), ('fc8', 10.0)),
    'optimizer.layer_decays': Rows((LAYER, Real(0, 1000)), ('fc8', 0.01)),
    'optimizer.frozen': LAYERS,
    'optimizer.clip_norm': Real(0, 1e9),
    'optimizer.trust_coefficient': Real(0, 1000, above_least=True),
    'optimizer.class_weights': Choice(('', 'balanced')),

    'run.epochs': Real(0, EPOCHS),
    'run.steps': COUNT,
    'run.evaluate_every': COUNT,
    'run.save_every': COUNT,
    'run.until_error': Real(0, 1),
    'run.log_every': Integer(1, INT32),
    'run.views': Choice(tuple(augment.CROPS)),
    'run.keep': Integer(1, EPOCHS),
    'run.stall_steps': COUNT,
    'run.threads': Integer(0, 1024),
    'run.workers': Integer(0, 128),
    'run.hold_data': Switch(),
    'run.patience': COUNT,

    'mesh.data': Integer(1, 2**16),
    'mesh.column': Integer(1, 2**16),
    'mesh.full_layers': Choice(full_layers.PARALLEL),
    'mesh.norm_and_pooling': Choice(fused.FORMS),

    'figure1.nonlinearities': Each(NONLINEARITY, ('relu', 'tanh')),
    'figure1.learning_rates': Each(RATE, (0.001, 0.01), distinct=True),
    'figure1.rounds': Rows(
        (Real(0, EPOCHS, above_least=True), Integer(1, 1000)), (1.0, 3)),

    'code.bits': Each(Integer(32, 2**16, 32), (32, 64), distinct=True),
    'code.sizes': Each(Integer(1, UNITS), (1024, 256)),
    'code.queries': COUNT,
}
# Sections whose fields only some configs have.
NOT_OF_ALL = ('model.', 'figure1.', 'code.')


def check(config: ConfigDict) -> None:
  """Checks the name and the value of every field of a config.

  Raises:
    InputError: there is no such field, or a value is outside of its range.
  """
  for field, value in fields(config):
    valid = FIELDS.get(field)
    if valid is None:
      near = difflib.get_close_matches(field, FIELDS, 1)
      hint = f'did you mean config.{near[0]}?' if near else 'leave it out.'
      raise InputError(f'config.{field} is not a field of a config: {hint}')
    if not valid.contains(value):
      fault = 'not known' if isinstance(valid, Choice) else 'out of range'
      raise InputError(f'config.{field}={shortened(repr(value))} is {fault}:'
                       f' give {valid.text}.')


def check_complete(config: ConfigDict) -> None:
  """Checks that the config of a network has every field but the network's own.

  Raises:
    InputError: a field is missing.
  """
  given = dict(fields(config))
  for field in FIELDS:
    if field.startswith(NOT_OF_ALL) and field != 'model.name':
      continue
    if field not in given:
      raise InputError(
          f'the config is not complete: add config.{field}, as in'
          ' configs/paper.py, or give the --config=FILE of the run.')
