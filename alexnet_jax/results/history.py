"""The errors of ILSVRC by year, and of the networks before and after AlexNet.

WINNERS are the best classification results of each year's challenge, mostly of
several networks together. NETWORKS are single networks, in one test as far as
there is one: ten crops of the validation images of ILSVRC-2012.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from alexnet_jax.results import runs
from alexnet_jax.results.runs import Run

NOT_RUN = 'not run'


class Winner(NamedTuple):
  """The winner of one year."""

  year: int
  name: str
  top5_error: float  # percent, on the test images


class Network(NamedTuple):
  """A network of this package and its published errors, in percent."""

  name: str
  year: int
  config: str  # in configs/, without .py; a form after a colon
  test: str  # the images, and what is averaged
  top1_error: float | None
  top5_error: float | None
  source: str


# Russakovsky et al. (2015), "ImageNet Large Scale Visual Recognition
# Challenge", Table 8, and the result pages of image-net.org. With the training
# images of the challenge alone, 2012 is 16.4 and 2013 is 11.7; with others,
# 2013 is 11.2.
WINNERS = (
    Winner(2010, 'NEC-UIUC', 28.2), Winner(2011, 'XRCE', 25.8),
    Winner(2012, 'AlexNet', 15.3), Winner(2013, 'Clarifai', 11.7),
    Winner(2014, 'GoogLeNet', 6.7), Winner(2015, 'ResNet', 3.57),
    Winner(2016, 'Trimps-Soushen', 2.99), Winner(2017, 'SENet', 2.25))
RUNNER_UP = Winner(2014, 'VGG', 7.3)
# One trained person, on 1,500 test images: Russakovsky et al., section 6.4.
HUMAN_TOP5_ERROR = 5.1

ILSVRC, DENSE = 'ILSVRC-2012, ten crops', 'ILSVRC-2012, whole images'
_RESNET = 'He et al. (2015), Table '
NETWORKS = (
    Network('LeNet-5', 1998, 'history/lenet5', 'MNIST', 0.95, None,
            'LeCun et al. (1998), section III'),
    Network('AlexNet', 2012, 'authors_2012', ILSVRC, 40.7, 18.2, 'Table 2'),
    Network('VGG-16', 2014, 'history/vgg16', ILSVRC, 28.07, 9.33,
            _RESNET + '3'),
    Network('VGG-19', 2014, 'history/vgg19', DENSE, 25.5, 8.0,
            'Simonyan and Zisserman (2014), Table 3'),
    Network('GoogLeNet', 2014, 'history/googlenet', ILSVRC, None, 9.15,
            'Szegedy et al. (2014), Table 3'),
    Network('plain-34', 2015, 'history/resnet:plain34', ILSVRC, 28.54, 10.02,
            _RESNET + '3'),
    Network('ResNet-18', 2015, 'history/resnet:18', ILSVRC, 27.88, None,
            _RESNET + '2, A'),
    Network('ResNet-34', 2015, 'history/resnet:34', ILSVRC, 24.52, 7.46,
            _RESNET + '3, B'),
    Network('ResNet-50', 2015, 'history/resnet:50', ILSVRC, 22.85, 6.71,
            _RESNET + '3'),
    Network('ResNet-101', 2015, 'history/resnet:101', ILSVRC, 21.75, 6.05,
            _RESNET + '3'),
    Network('ResNet-152', 2015, 'history/resnet:152', ILSVRC, 21.43, 5.71,
            _RESNET + '3'))
# Configs that train one of these networks, besides its own.
SAME_NETWORK = {'history/lenet5:mnist': 'history/lenet5',
                'paper': 'authors_2012', 'tiny_imagenet': 'authors_2012',
                'history/resnet': 'history/resnet:34'}


def longest_runs(finished: Iterable[Run]) -> dict[str, Run]:
  """Returns {config of a network: its run with the most steps}.

  Args:
    finished: finished runs, of any configs.
  """
  chosen: dict[str, Run] = {}
  for run in sorted(finished, key=lambda run: run.steps):
    if any(field.startswith('model.') for field in run.overrides):
      continue  # another network
    form = run.form.partition(',')[0]
    name = f'{run.name}:{form}' if form else run.name
    name = SAME_NETWORK.get(name, name)
    chosen[name] = run
  return {network.config: chosen[network.config] for network in NETWORKS
          if network.config in chosen}


def measured(run: Run | None) -> str:
  """Returns our errors and the data they are for, or 'not run'."""
  if run is None:
    return NOT_RUN
  crops = runs.crops([run])[-1]
  top1, top5 = (runs.error([run], crops, top).mean for top in (1, 5))
  return (f'{top1:.1f} / {top5:.1f} ({run.data}, {crops}'
          f' crop{"s" if crops != "one" else ""}, {run.steps} steps)')


def as_rows(chosen: dict[str, Run]) -> Sequence[Sequence[str]]:
  """Returns the cells of a table, its head first.

  Args:
    chosen: the result of `longest_runs`.
  """
  rows = [('network', 'year', 'top-1', 'top-5', 'published for', 'ours')]
  for network in NETWORKS:
    errors = (network.top1_error, network.top5_error)
    rows.append((
        network.name, str(network.year),
        *('-' if error is None else f'{error:.2f}' for error in errors),
        network.test, measured(chosen.get(network.config))))
  return rows
