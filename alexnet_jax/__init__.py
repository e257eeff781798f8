"""AlexNet in JAX: Krizhevsky, Sutskever and Hinton (2012), section by section.

Reading order, with the paper open:

    network/alexnet.py       3      the network of Figure 2
    network/alexnet_2012.py         the same in the released program's order
    network/published.py            the same as other programs publish it
    network/columns.py       3.2    the columns, and where they are connected
    network/placement.py     3.2    columns on devices: the mesh
    network/response_norm.py 3.3    local response normalization
    network/pooling.py       3.4    overlapping pooling
    network/layers.py        3.5    convolutions, full layers; dropout (4.2)
    network/initial.py       5      the first weights
    learning/augment.py      4.1    crops, reflections, colors
    learning/optimizer.py    5      the update rule and the learning rate
    learning/step.py                one update, one evaluation
    data/                    2      pictures on disk to uint8 batches
    run/                            a config becomes a run with checkpoints
    results/                 3-7    many runs beside the paper's numbers
    analysis/, figures/      6.1    what the network has learned, in pictures
    export/                         the network in the formats of others
    library/                        load, build: the package as a library
    tasks/                          one file for each --task of launch.py

Letters for axes: B batch, H height, W width, C maps per column, K columns.
A column is the half of the net on one GPU; a crossing is a layer that reads
every column's maps; features are the last hidden layer's 4096 numbers.
Modules import only from lower layers of the package;
tests/test_architecture.py lists these layers.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from alexnet_jax.errors import InputError

if TYPE_CHECKING:
  from ml_collections import ConfigDict

  from alexnet_jax.library.network import Network

__all__ = ['InputError', 'build', 'load']


def load(path: str | os.PathLike[str]) -> 'Network':
  """Loads a network that was trained or exported: see `opening.load`.

  Raises:
    InputError: there is no such network, or its files are damaged.
  """
  from alexnet_jax.library import opening  # imports JAX, which takes seconds
  return opening.load(path)


def build(config: 'ConfigDict | str | os.PathLike[str]',
          classes: int | Sequence[str] | None = None) -> 'Network':
  """Builds the network of a config: see `opening.build`.

  Raises:
    InputError: there is no such config, or a field is invalid.
  """
  from alexnet_jax.library import opening
  return opening.build(config, classes)
