"""Networks by the name that `config.model.name` gives."""

from jax.sharding import Mesh

from alexnet_jax.errors import InputError
from alexnet_jax.network import alexnet, alexnet_2012, cifar, cifar_local
from alexnet_jax.network.classifier import Model

NETWORKS = {'alexnet': alexnet, 'alexnet_2012': alexnet_2012,
            'cifar': cifar, 'cifar_local': cifar_local}


def build(name: str, mesh: Mesh, num_classes: int, patch: int,
          **fields) -> Model:
  """The network `name`; `fields` are that module's `build` arguments.

  Raises:
    InputError: no such network.
  """
  if name not in NETWORKS:
    raise InputError(f'config.model.name={name!r} is not known: give one of'
                     f' {", ".join(NETWORKS)}.')
  return NETWORKS[name].build(mesh, num_classes, patch, **fields)
