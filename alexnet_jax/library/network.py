"""A network in a program of one's own: labels, features and logits."""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from alexnet_jax.analysis.feature_layers import dimension_of
from alexnet_jax.analysis.features import make_feature_step
from alexnet_jax.data import any_image
from alexnet_jax.errors import InputError
from alexnet_jax.learning import augment, step
from alexnet_jax.run.trained import Trained

BATCH = 32  # images; larger batches delay the first predictions


class Prediction(NamedTuple):
  """The most probable classes of an image, the most probable one first."""

  labels: tuple[str, ...]
  probabilities: tuple[float, ...]


class Network:
  """A network with its parameters, input statistics and class names.

  Images are file names, the bytes of files, PIL images or uint8 arrays of any
  size. One image gives one result; a list, a tuple or an array of them gives
  all results at once; a generator gives a generator, which reads the images in
  batches and holds no more than these.
  """

  def __init__(self, trained: Trained):
    self.trained = trained
    self._steps: dict[int, Callable] = {}

  def __repr__(self) -> str:
    return (f'<Network {self.config.model.name} of {self.trained.workdir}, step'
            f' {self.trained.step}, {len(self.class_names)} classes>')

  @functools.cached_property
  def config(self) -> ConfigDict:
    """The config of the run; it is a copy, and changes nothing here."""
    return ConfigDict(self.trained.settings.config)

  @property
  def class_names(self) -> tuple[str, ...]:
    """The names of the classes, in the order of the logits."""
    return self.trained.class_names

  @property
  def params(self) -> Any:
    """{'columns': {layer: {kernel, bias}}, 'fc8': ...}; leaves lead with K."""
    return self.trained.params

  def predict(self, images: Any, top: int = 5, views: int = 10) -> Any:
    """Returns a `Prediction`, or one for each of several images.

    Args:
      images: one image or several.
      top: number of labels.
      views: number of patches to average (4.1): 10, 9 or 1.

    Raises:
      InputError: an image cannot be read, or an argument is out of range.
    """
    if top < 1:
      raise InputError(f'top={top} is no number of labels: give 1 or more.')
    if views not in augment.CROPS:
      raise InputError(f'views={views} is no test of 2012: give one of'
                       f' {", ".join(map(str, augment.CROPS))}.')

    def name(probabilities):
      classes = most_probable(probabilities, top)
      return Prediction(tuple(self.class_names[i] for i in classes),
                        tuple(float(probabilities[i]) for i in classes))

    return self._each(
        images, lambda several: map(
            name, map(_raised, self.probabilities(several, views))))

  def features(self, images: Any) -> Any:
    """Returns the outputs of the last hidden layer for the central patch (6.1).

    Args:
      images: one image or several.

    Returns:
      float32 [D], [N, D], or a generator of [D] for a generator of images.

    Raises:
      InputError: an image cannot be read.
    """

    def run(several):
      return map(_raised, self._stream(several, self._feature_step))

    result = self._each(images, run)
    return self._stacked(result, lambda: self._width)

  def patches(self, images: Any) -> Any:
    """Returns what the network reads: the central patch, minus the mean image.

    Args:
      images: one image or several.

    Returns:
      float32 [size, size, 3], [N, size, size, 3], or a generator of patches.

    Raises:
      InputError: an image cannot be read.
    """
    result = self._each(images, lambda several: map(
        _raised, self._stream(several, self._patch_step)))
    size = self.trained.model.patch
    return self._stacked(result, lambda: (size, size, 3))

  def logits(self, patches: Any) -> jax.Array:
    """Returns the inputs of the softmax: [N, size, size, 3] -> [N, classes].

    Args:
      patches: float32 patches with the mean subtracted, as `patches` returns
        them, or uint8 patches, from which it is subtracted here.

    Raises:
      InputError: the patches have another shape or type.
    """
    array, size = jnp.asarray(patches), self.trained.model.patch
    if array.shape[1:] != (size, size, 3):
      raise InputError(
          f'patches of shape {list(array.shape)} do not fit: give [N, {size},'
          f' {size}, 3].')
    if array.dtype not in (jnp.uint8, jnp.float32):
      raise InputError(
          f'patches of {array.dtype} do not fit: give float32 with the mean'
          ' subtracted, or uint8.')
    return self._logits_step(self.params, self.trained.input_stats, array)

  def probabilities(self, images: Iterable[Any],
                    views: int = 10) -> Iterator[np.ndarray | InputError]:
    """Yields the softmax outputs of every image, averaged over patches: [C].

    For an image that cannot be read, it yields the error that explains why.

    Args:
      images: several images.
      views: number of patches to average: 10, 9 or 1.
    """
    if views not in self._steps:
      self._steps[views] = jax.jit(functools.partial(
          step.mean_over_crops, self.trained.model, augment.test_crops(
              self._image_size, self.trained.model.patch, views)))
    return self._stream(images, self._steps[views])

  # --- Inside -----------------------------------------------------------------

  @property
  def _image_size(self):
    return self.trained.settings.data.image_size

  @functools.cached_property
  def _feature_step(self):
    return make_feature_step(self.trained)

  @functools.cached_property
  def _patch_step(self):
    size = self.trained.model.patch
    central, = augment.test_crops(self._image_size, size, 1)

    def patch_step(params, stats, images):
      del params
      patches = augment.cut_crop(images, jnp.asarray(central), size)
      return augment.subtract_mean(patches, stats)

    return jax.jit(patch_step)

  @functools.cached_property
  def _logits_step(self):
    def logits_step(params, stats, patches):
      if patches.dtype == jnp.uint8:
        patches = augment.subtract_mean(patches, stats)
      return self.trained.model.apply(params, patches)[0]

    return jax.jit(logits_step)

  @property
  def _width(self):
    return (dimension_of(self.trained.model),)

  def _each(self, images, run):
    """Applies `run` to an iterable; one result for one image."""
    if any_image.is_one(images):
      return next(iter(run([images])))
    if not isinstance(images, Iterable):
      raise InputError(f'{type(images).__name__} is no image: give'
                       f' {any_image.FORMS}, or several of these.')
    results = run(images)
    return results if isinstance(images, Iterator) else list(results)

  def _stacked(self, results, shape):
    if not isinstance(results, list):
      return results
    return (np.stack(results) if results
            else np.zeros((0, *np.atleast_1d(shape())), np.float32))

  def _stream(self, images: Iterable[Any],
              f: Callable) -> Iterator[np.ndarray | InputError]:
    """Yields f(params, input_stats, image) of each image, or its error."""
    size, images = self._image_size, iter(images)
    first = list(itertools.islice(images, BATCH))
    if not first:
      return
    # One size for all batches: every other size needs another compilation.
    batch_size = 1 << (len(first) - 1).bit_length()
    squares = any_image.read_squares(
        itertools.chain(first, images), size,
        self.trained.settings.run.threads, ahead=2 * batch_size,
        resize=self.trained.settings.data.resize)
    while read := list(itertools.islice(squares, batch_size)):
      batch = np.zeros((batch_size, size, size, 3), np.uint8)
      for place, one in enumerate(read):
        if not isinstance(one, InputError):
          batch[place] = one
      outputs = jax.device_get(
          f(self.params, self.trained.input_stats, batch))
      for one, output in zip(read, outputs[:len(read)], strict=True):
        yield one if isinstance(one, InputError) else output


def most_probable(probabilities: np.ndarray, top: int) -> tuple[int, ...]:
  """Returns the numbers of the most probable classes, in order."""
  order = np.argsort(-probabilities, kind='stable')
  return tuple(map(int, order[:top]))


def _raised(output):
  if isinstance(output, InputError):
    raise output
  return output
