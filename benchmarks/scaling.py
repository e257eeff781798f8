"""The expected speed of 2, 8 and 256 accelerators.

    python -m benchmarks.scaling

The numbers are computed, not measured: FLOPs, parameters and exchanged bytes
are those of `--task=describe`, peaks are from data sheets, and the assumptions
are the constants below. docs/scaling.md has the tables and conclusions.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import jax

from alexnet_jax import tables
from alexnet_jax.network import describe, models, placement
from configs import paper

FLOAT32 = 4  # Bytes.
CLASSES = 1000
IMAGES, EPOCHS = 1_281_167, 90  # ILSVRC-2012's training set; section 5.
BATCH = 128  # Of one data shard; section 5.
MESHES = ((1, 1), (1, 2), (2, 1), (4, 2), (8, 1), (128, 2), (256, 1))
# Per image and step, in float32, if every elementwise operation is fused with
# its neighbors: the maps of Figure 2, forward and backward.
ACTIVATION_BYTES = 18.4e6
# The update reads gradient, velocity and parameter and writes the last two;
# with the accesses in the forward and backward pass, there are eight passes.
PARAMETER_PASSES = 8


class Device(NamedTuple):
  """An accelerator, with the numbers of its data sheet."""

  name: str
  flops: float  # Per second, dense, in the precision of the name.
  memory: float  # Bytes per second.
  link: float  # Bytes per second into one device, within a machine.
  network: float  # The same, between machines; 0: only one.
  per_machine: int  # Devices.
  roofline: float  # Assumed share of the roofline that a step reaches.
  latency: float  # Assumed seconds of one collective.


# GTX 580: 1.58 TFLOP/s, 192 GB/s, PCIe 2.0 x16 with 6 of its 8 GB/s usable. Its
# share of the roofline is fitted to the paper's 5.5 days, so only the others
# are predictions. H200 SXM: 4.8 TB/s, NVLink 450 GB/s per direction, one
# 400 Gbit/s port per device between machines.
GTX_580 = Device('GTX 580, float32', 1.58e12, 192e9, 6e9, 0, 2, 0.31, 20e-6)
H200 = tuple(
    Device(f'H200, {precision}', flops, 4.8e12, 450e9, 50e9, 8, 0.6, 15e-6)
    for precision, flops in (
        ('float32', 67e12), ('TF32', 495e12), ('bfloat16', 989e12)))


class Network(NamedTuple):
  """The numbers of `describe` for one image and one training step."""

  step_flops: float
  parameters: float
  exchanged_bytes: float  # Received by all columns together.
  crossings: int


class Step(NamedTuple):
  """One training step on data x column devices, in seconds."""

  images: int  # In the global batch.
  compute: float  # By the roofline, on the busiest device.
  exchange: float  # At the crossings.
  gradients: float  # Their sum over the data shards.

  def seconds(self, overlapped: bool) -> float:
    """Returns the time, with or without overlap of the gradient sum."""
    if overlapped:
      return max(self.compute + self.exchange, self.gradients)
    return self.compute + self.exchange + self.gradients


def paper_network() -> Network:
  """Returns the numbers for the network of configs/paper.py."""
  config = paper.get_config()
  spec = models.read_spec(config.model.to_dict())
  mesh = placement.make_mesh(1, 1, spec.num_columns)
  model = models.build(spec, mesh, CLASSES, config.augment.crop)
  table = describe.layer_rows(model, CLASSES)
  sums = describe.totals(table)
  return Network(sums['step_flops'], sums['parameters'],
                 sums['exchanged_bytes'],
                 sum(row.exchanged_bytes > 0 for row in table))


def step(network: Network, device: Device, data: int, column: int,
         batch: int) -> Step:
  """Computes the time of one step from the roofline and the link speeds.

  Args:
    network: the output of `paper_network`.
    device: the type of all data * column accelerators.
    data: the number of shards of the batch.
    column: the number of devices that share the columns, in one machine.
    batch: the number of images in one data shard.
  """
  compute = batch * network.step_flops / column / device.flops
  traffic = (batch * ACTIVATION_BYTES
             + PARAMETER_PASSES * FLOAT32 * network.parameters) / column
  compute = max(compute, traffic / device.memory) / device.roofline
  exchange = 0.0
  if column > 1:
    received = batch * network.exchanged_bytes / column
    # Once forward and once backward at every crossing.
    exchange = (received / device.link
                + 2 * network.crossings * device.latency)
  gradients = 0.0
  if data > 1:
    # A ring passes every gradient twice, except for the device's own share.
    passed = 2 * (data - 1) / data * FLOAT32 * network.parameters / column
    within = data * column <= device.per_machine
    gradients = (passed / (device.link if within else device.network)
                 + 2 * math.ceil(math.log2(data)) * device.latency)
  return Step(data * batch, compute, exchange, gradients)


def rows(network: Network, device: Device) -> Iterator[tuple[str, ...]]:
  """Yields the cells of one device's table, one row per mesh."""
  alone = step(network, device, 1, 1, BATCH)
  for data, column in MESHES:
    if not device.network and data * column > device.per_machine:
      continue
    at = step(network, device, data, column, BATCH)
    speeds = [at.images / at.seconds(overlapped)
              for overlapped in (False, True)]
    gain = [speed * alone.seconds(False) / alone.images for speed in speeds]
    hours = [IMAGES * EPOCHS / speed / 3600 for speed in speeds]
    yield (f'{data} x {column}', f'{at.images:,}',
           *(f'{1e3 * x:,.4g}'
             for x in (at.compute, at.exchange, at.gradients)),
           *(_range(texts) for texts in (
               [f'{x:,.0f}' for x in speeds], [f'{x:.3g}' for x in gain],
               [_time(x) for x in hours])))


def _range(texts):
  return ' - '.join(dict.fromkeys(texts))


def _time(hours):
  return f'{hours / 24:.1f} d' if hours >= 48 else (
      f'{hours:.1f} h' if hours >= 1 else f'{60 * hours:.2g} min')


def table(network: Network, device: Device) -> str:
  """Returns the table of one device as Markdown."""
  head = ('data x column', 'batch', 'compute, ms', 'crossings, ms',
          'gradients, ms', 'images/s', 'times one', '90 epochs')
  return tables.markdown(head, rows(network, device))


def main() -> None:
  """Prints the tables of docs/scaling.md."""
  network = paper_network()
  print(f'One image and step: {network.step_flops / 1e9:.2f} GFLOP,'
        f' {network.exchanged_bytes:,} bytes exchanged at'
        f' {network.crossings} crossings; {network.parameters:,} parameters.')
  for device in (GTX_580, *H200):
    print(f'\n### {device.name}\n')
    print(table(network, device))


if __name__ == '__main__':
  jax.config.update('jax_platforms', 'cpu')
  main()
