"""A table of a network's layers and of the bytes that its columns exchange.

Section 3.2 chooses the crossings by cross-validation, so that "the amount of
communication" is "an acceptable fraction of the amount of computation"; the
last column of the table is that fraction. The table needs only shapes; the
network is not run.
"""

import json
import math
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import jax

from alexnet_jax import tables
from alexnet_jax.network import columns
from alexnet_jax.network.classifier import Model

FLOAT32 = 4  # bytes
NOTE = ('Reads, kernel and shape are of one column; neurons, parameters, FLOP'
        ' and bytes of all. FLOP and bytes are per image; a step is forward'
        ' and backward. Bytes are those received when every column has a device'
        ' of its own.')
SLIP = ('The caption of Figure 2 prints 253,440 neurons for conv1, which is'
        ' 55*48*96; its maps are 55*55*96 = 290,400, and only with these do all'
        ' layers add up to the 650,000 of the abstract.')


class LayerRow(NamedTuple):
  """One layer. Shapes are for one column, counts for all columns."""

  layer: str  # 'conv1' ... 'fc8'
  reads: tuple[int, ...]  # of one image; all columns' maps if it crosses
  kernel: tuple[int, ...]
  shape: tuple[int, ...]  # after the weights
  neurons: int
  parameters: int
  flops: int  # forward, per image; a multiplication and an addition are two
  step_flops: int  # forward, and the gradients of input and weights
  exchanged_bytes: int  # per image and training step
  ratio: float  # exchanged bytes per FLOP of the training step


def layer_rows(
  model: Model, num_classes: int, devices: int = 0
) -> list[LayerRow]:
  """Returns one row per layer, from the pixels up.

  A device that reads every column's maps receives the (D-1)/D of them that it
  does not store, and sends back as many gradients, all in float32. fc8 gathers
  no maps: each device multiplies its own features by its rows of the kernel,
  and these partial sums, one per class, are reduced and broadcast. Their
  gradient is already on every device. `--task=bench` reads the same byte counts
  from the compiled step.

  Args:
    model: the network.
    num_classes: number of outputs of the softmax layer.
    devices: D, the number of devices that the columns are distributed over; 0
      means one device per column.
  """
  devices = devices or model.num_columns
  params = jax.eval_shape(model.init, jax.random.key(0))
  walk = list(
    columns.layer_shapes(model.layers, model.num_columns, model.patch)
  )
  table = []
  for at in walk:
    layer_params = params['columns'][at.layer.name]
    table.append(_row(
        at.layer.name, at.reads, layer_params['kernel'].shape[1:], at.neurons,
        layer_params,
        model.num_columns, _received(at.reads, devices) * at.layer.crosses,
        gradients=2 if table else 1))
  features = (model.num_columns * walk[-1].outputs[-1],)
  table.append(_row(
      'fc8', features, params['fc8']['kernel'].shape, (num_classes,),
      params['fc8'], 1, _received((num_classes,), devices), gradients=2))
  return table


def _received(shape, devices) -> int:
  """Bytes that all devices receive, in the forward and backward pass."""
  return 2 * FLOAT32 * (devices - 1) * math.prod(shape)


def _row(name, reads, kernel, shape, params, copies, exchanged,
         gradients) -> LayerRow:
  """`gradients` is 1 for conv1: the pixels' gradient is not computed."""
  neurons = copies * math.prod(shape)
  # A convolution applies its kernels and biases at every position; in a full or
  # a local layer every neuron has separate weights and a separate bias.
  flops = 2 * math.prod(kernel) * neurons * copies // params['bias'].size
  step_flops = (1 + gradients) * flops
  parameters = sum(leaf.size for leaf in jax.tree.leaves(params))
  return LayerRow(name, reads, kernel, shape, neurons, parameters, flops,
             step_flops, exchanged, exchanged / step_flops)


def totals(table: Sequence[LayerRow]) -> dict[str, float]:
  """Returns sums over the layers and the ratio of the sums."""
  names = ('neurons', 'parameters', 'flops', 'step_flops', 'exchanged_bytes')
  sums = {name: sum(getattr(row, name) for row in table) for name in names}
  return sums | {'ratio': sums['exchanged_bytes'] / sums['step_flops']}


def as_text(table: Sequence[LayerRow]) -> str:
  """Formats the table as text: one line per layer, totals last."""
  sums = totals(table)
  lines = [('layer', 'reads', 'kernel', 'shape', 'neurons', 'parameters',
            'MFLOP', 'step MFLOP', 'bytes exchanged', 'per FLOP')]
  lines += [(row.layer, *map(_size, (row.reads, row.kernel, row.shape)),
             *_numbers(row._asdict())) for row in table]
  lines.append(('total', '', '', '', *_numbers(sums)))
  text = tables.aligned(lines)
  notes = [NOTE, SLIP] if table[0].neurons == 290_400 else [NOTE]
  text += ['', *(textwrap.fill(note, len(text[0])) for note in notes)]
  return '\n'.join(text)


def as_json(table: Sequence[LayerRow]) -> str:
  """Formats the table as JSON: {'layers': [...], 'totals': {...}}."""
  return json.dumps({'layers': [row._asdict() for row in table],
                     'totals': totals(table)}, indent=2)


def _size(shape):
  return 'x'.join(map(str, shape))


def _numbers(row):
  counts = [f'{row[name]:,}' for name in ('neurons', 'parameters')]
  mega = [f'{row[name] / 1e6:,.1f}' for name in ('flops', 'step_flops')]
  ratio = row['ratio']
  return (*counts, *mega, f'{row["exchanged_bytes"]:,}',
          f'{ratio:.6f}' if ratio else '0')

