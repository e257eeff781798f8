"""The strongest units of a network over many images, projected to pixels.

Images are processed as in a test with one patch.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from alexnet_jax.analysis import projection, receptive_fields
from alexnet_jax.analysis.projection import Strongest
from alexnet_jax.analysis.receptive_fields import Field
from alexnet_jax.data.sources import Source
from alexnet_jax.learning import augment
from alexnet_jax.run.trained import Trained
from alexnet_jax.run.walk import walk

TOP = 9  # Images per map, as in Figure 2 of Zeiler and Fergus.


def search(network: Trained, source: Source,
           names: Sequence[str]) -> dict[str, Strongest]:
  """Finds the nine images that activate each map most, and the positions.

  Args:
    network: the network.
    source: the images.
    names: the layers whose maps are searched.
  """
  see = _seeing(network)

  @jax.jit
  def strongest(params, pixels, images):
    maps = projection.activations(
        network.model.layers, params, see(pixels, images), names)
    return {name: projection.strongest_units(maps[name]) for name in names}

  merged, done = {}, 0
  for units in walk(
      lambda batch: strongest(network.params['columns'], network.input_stats,
                              batch['image']),
      source, network.mesh, batch_size=network.settings.optimizer.batch_size,
      threads=network.settings.run.threads,
      title=f'{network.workdir}, {network.step}'):
    for name, (activations, places) in units.items():
      before = merged.get(name, projection.no_units_yet(
          TOP, activations.shape[1]))
      merged[name] = projection.keep_strongest(
          before, activations, done + np.arange(len(activations)), places)
    done += len(activations)
  return merged


def _seeing(network):
  """Returns f(pixels, images) -> the network's centered input."""
  crop = network.model.patch
  view, = augment.test_crops(network.settings.data.image_size, crop, 1)

  def see(pixels, images):
    return augment.subtract_mean(
        augment.cut_crop(images, view, crop), pixels)

  return see


def units_of(source: Source, field: Field, strongest: Strongest,
             index: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
  """Returns the examples that activate a map most, and its unit in each.

  Args:
    source: the images.
    field: the receptive fields of the layer.
    strongest: the strongest units of the layer.
    index: number of the map, from 0.
  """
  examples, units = [], []
  for activation, i, place in zip(
      *(one[:, index].tolist() for one in strongest), strict=True):
    if activation <= 0:  # ReLU outputs zero.
      break
    examples.append(source[i])
    units.append({
        'image': i, 'where': source.where(i),
        'class': source.class_names[int(examples[-1]['label'])],
        'place': place, 'activation': activation,
        'square': receptive_fields.square_of(field, place)})
  return examples, units


def projector(network: Trained, name: str) -> Callable[..., np.ndarray]:
  """Returns f(examples, units, map index) -> projections [n, P, P, 3]."""
  see = _seeing(network)

  @jax.jit
  def project(params, pixels, images, maps, places):
    return projection.project(network.model.layers, params, see(pixels, images),
                              name, maps, places)

  def of_units(examples, units, index):
    if not units:
      return np.zeros((0, network.model.patch, network.model.patch, 3))
    # The number is constant, so that one compilation is enough.
    filled = [i % len(units) for i in range(TOP)]
    projected = project(
        network.params['columns'], network.input_stats,
        np.stack([examples[i]['image'] for i in filled]),
        np.full(TOP, index), np.array([units[i]['place'] for i in filled]))
    return np.asarray(projected)[:len(units)]

  return of_units


def cut(
    network: Trained, projected: np.ndarray,
    examples: Sequence[dict[str, Any]], units: Sequence[dict[str, Any]]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
  """Crops projections and patches to the receptive fields of the units.

  Args:
    network: the network.
    projected: what `projector` returns [n, P, P, 3].
    examples: n images, as `units_of` returns them.
    units: the unit in each image, of `units_of` too.
  """
  crop = network.model.patch
  y, x, _ = augment.test_crops(network.settings.data.image_size, crop, 1)[0]
  projections, patches = [], []
  for one, example, unit in zip(projected, examples, units, strict=True):
    top, left, side = receptive_fields.moved_inside(unit['square'], crop)
    square = np.s_[top:top + side, left:left + side]
    projections.append(one[square])
    patches.append(example['image'][y:y + crop, x:x + crop][square])
  return projections, patches


def kernel_alone(projected: Sequence[np.ndarray],
                 units: Sequence[dict[str, Any]],
                 patch: int) -> Sequence[np.ndarray]:
  """Returns one projection of a map of the first layer, cut by no patch edge.

  All projections of such a map show its kernel, so one is enough.

  Args:
    projected: projections of units of the first layer.
    units: the units.
    patch: side of the network's input.
  """
  squares = [unit['square'] for unit in units]
  complete = [one for one, square in zip(projected, squares, strict=True)
              if receptive_fields.moved_inside(square, patch) == square]
  return (complete or projected)[:1]
