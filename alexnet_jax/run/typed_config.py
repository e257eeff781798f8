"""Converts a config to typed tuples and checks each of its values."""

from typing import Any, NamedTuple

from jax.sharding import Mesh
from ml_collections import ConfigDict

from alexnet_jax import paths
from alexnet_jax.data import sources
from alexnet_jax.data.sources import Source
from alexnet_jax.errors import InputError
from alexnet_jax.learning.augment import Augmentation
from alexnet_jax.learning.learning_rate import Rates
from alexnet_jax.learning.plateau import PlateauRule
from alexnet_jax.network import models
from alexnet_jax.network.classifier import Model
from alexnet_jax.run import config_fields, stored_config

# The fields of config.data that give a path.
PATHS = ('path', 'labels')


class Data(NamedTuple):
  """`config.data`."""

  name: str  # one of sources.NAMES
  path: str
  image_size: int  # side of the stored squares in pixels
  validation_fraction: float  # for a folder without val/
  train_examples: int  # 0: all
  validation_examples: int
  reshuffle: bool  # whether each epoch has a new order
  labels: str = ''  # the list of labels of pictures in no class folders
  check: str = 'headers'  # one of check.MODES
  resize: str = 'crop'  # how pictures become square; or 'warp'
  store: str = 'jpeg'  # how --task=prepare stores them; or 'raw'


class Optimization(NamedTuple):
  """`config.optimizer`."""

  batch_size: int
  rule: str  # one of optimizer.RULES
  momentum: float
  weight_decay: float
  learning_rate: float
  accumulate: int  # parts of a batch, one after the other
  clip_norm: float  # of the gradient of all parameters; 0: not clipped
  trust_coefficient: float  # of the rule 'lars'
  class_weights: str  # of the training loss: '' or 'balanced'
  layer_decays: tuple[tuple[str, float], ...]
  rates: Rates
  plateau: PlateauRule | None


class RunSettings(NamedTuple):
  """`config.run`."""

  epochs: float
  steps: int  # 0: as many as the epochs need
  evaluate_every: int  # steps; 0: once per epoch
  save_every: int  # steps; 0: once per epoch
  until_error: float  # training error at which to stop early
  log_every: int  # steps
  views: int  # crops averaged in the final test
  keep: int  # number of latest checkpoints
  stall_steps: int  # steps at a loss of ln(classes) before a warning
  threads: int  # for decoding images; 0: one per core
  workers: int  # for decoding images, as processes
  hold_data: bool  # store all images on every device
  patience: int  # validations without a new best before the end; 0: any


class MeshShape(NamedTuple):
  """`config.mesh`: the devices along each axis, and what they divide."""

  data: int
  column: int
  full_layers: str = 'data'  # one of full_layers.PARALLEL
  norm_and_pooling: str = 'xla'  # one of fused.FORMS


class Settings(NamedTuple):
  """All fields of a config."""

  config: dict[str, Any]  # as stored with a run
  seed: int
  precision: str
  model: models.Spec
  data: Data
  augmentation: Augmentation
  optimizer: Optimization
  run: RunSettings
  mesh: MeshShape

  def open_split(self, split: str) -> Source:
    """Opens the 'train', 'validation' or 'test' examples."""
    limits = {'train': self.data.train_examples,
              'validation': self.data.validation_examples}
    return sources.open_source(
        self.data.name, split, path=self.data.path,
        image_size=self.data.image_size,
        validation_fraction=self.data.validation_fraction,
        limit=limits.get(split, 0), labels=self.data.labels,
        resize=self.data.resize)

  def build_model(self, mesh: Mesh, num_classes: int) -> Model:
    """Builds the network that config.model describes."""
    return models.build(self.model, mesh, num_classes, self.augmentation.crop,
                        self.precision, self.mesh.full_layers,
                        self.mesh.norm_and_pooling)


def read(config: ConfigDict) -> Settings:
  """Converts a config to Settings.

  Raises:
    InputError: a value is invalid, or a field is missing or not known.
  """
  config = ConfigDict(stored_config.with_added_fields(config.to_dict()))
  config_fields.check(config)
  config_fields.check_complete(config)
  settings = Settings(
      config.to_dict(), config.seed, config.precision,
      models.read_spec(config.model.to_dict()), _read_data(config),
      Augmentation(**config.augment.to_dict()),
      _read_optimization(config.optimizer.to_dict()),
      RunSettings(**config.run.to_dict()), MeshShape(**config.mesh.to_dict()))
  _check_crop(settings)
  _check_mean_pixel(settings.augmentation.mean_pixel)
  _check_scale(settings.augmentation)
  return settings


def _read_data(config):
  data = config.data.to_dict()
  return Data(**data | {
      name: paths.local(f'config.data.{name}', data[name])
      for name in PATHS if data.get(name)})


def _read_optimization(fields):
  plateau = PlateauRule(
      fields['plateau_patience'], fields['plateau_factor'],
      fields['plateau_drops']) if fields['plateau'] else None
  return Optimization(
      rates=Rates(**{name: fields[name] for name in Rates._fields}),
      plateau=plateau,
      **{name: fields[name] for name in Optimization._fields
         if name not in ('rates', 'plateau')})


def _check_crop(settings):
  if settings.augmentation.crop > settings.data.image_size:
    raise InputError(
        f'config.augment.crop={settings.augmentation.crop} is larger than the'
        f' {settings.data.image_size}-pixel images: give a smaller crop or a'
        ' larger config.data.image_size.')
  if settings.augmentation.pad and settings.augmentation.scale:
    raise InputError(
        f'config.augment.pad={settings.augmentation.pad} and config.augment'
        f'.scale={settings.augmentation.scale} cut crops in two ways: leave one'
        ' of them off, pad at 0 or scale at ().')


def _check_mean_pixel(mean):
  if len(mean) not in (0, 3):
    raise InputError(
        f'config.augment.mean_pixel={mean!r} is not a color: give three numbers'
        ' in 0..255, or () for the mean image of the data.')


def _check_scale(augmentation):
  scale, crop = tuple(augmentation.scale), augmentation.crop
  if scale and (len(scale) != 2 or not crop <= scale[0] <= scale[1]):
    raise InputError(
        f'config.augment.scale={scale!r} is no range of sides that hold'
        f' config.augment.crop={crop}: give the shortest and the longest, such'
        f' as ({crop}, {2 * crop}), or () to leave it out.')
