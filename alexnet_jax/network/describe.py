"""A table of a network's layers and of the bytes that its columns exchange.

FLOPs and the memory of the maps are counted in what JAX traces of a layer, so
that a block of several convolutions is one row like any other layer.

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
import jax.numpy as jnp

from alexnet_jax import tables
from alexnet_jax.network import partners
from alexnet_jax.network.classifier import Model
from alexnet_jax.network.columns import Layer
from alexnet_jax.network.shapes import LayerShapes, all_shapes, layer_shapes

FLOAT32 = 4  # bytes
NOTE = ('Reads, kernel and shape are of one column; neurons, parameters, FLOP'
        ' and bytes of all. FLOP and bytes are per image; a multiplication and'
        ' an addition are two FLOP, and a step is forward and backward. The'
        ' maps of a forward pass are in float32: the outputs of every'
        ' convolution, full layer and pooling. Bytes exchanged are those'
        ' received when every column has a device of its own.')
SIDES = ('Side classifiers are a part of training alone; their layers are below'
         ' fc8 and in the totals.')
SLIP = ('The caption of Figure 2 prints 253,440 neurons for conv1, which is'
        ' 55*48*96; its maps are 55*55*96 = 290,400, and only with these do all'
        ' layers add up to the 650,000 of the abstract.')


class LayerRow(NamedTuple):
  """One layer. Shapes are for one column, counts for all columns."""

  layer: str  # 'conv1' ... 'fc8'
  reads: tuple[int, ...]  # of one image; all columns' maps if it crosses
  kernel: tuple[int, ...]  # () of a block with several, or none
  shape: tuple[int, ...]  # after the weights
  neurons: int
  parameters: int
  flops: int  # forward, per image; a multiplication and an addition are two
  step_flops: int  # forward, and the gradients of input and weights
  map_bytes: int  # of its outputs in a forward pass, per image
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
  *walk, last = layer_shapes(
      model.layers, model.num_columns, model.patch)
  features = (model.num_columns * last.outputs[-1],)
  table = [_row(at, model.num_columns, devices, gradients=2 if i else 1)
           for i, at in enumerate((*walk, last))]
  fc8 = _row(
      LayerShapes(Layer('fc8', model.softmax, False, ()), features,
                  (num_classes,), (num_classes,)), 1, devices, gradients=2)
  table.append(fc8._replace(
      exchanged_bytes=_received((num_classes,), devices),
      ratio=_received((num_classes,), devices) / fc8.step_flops))
  shapes = all_shapes(model.layers, model.num_columns, model.patch)
  sides = list(shapes)[len(walk) + 1:]
  return table + [_row(at, 1, devices, gradients=2) for at in sides]


def _received(shape, devices) -> int:
  """Bytes that all devices receive, in the forward and backward pass."""
  return 2 * FLOAT32 * (devices - 1) * math.prod(shape)


def _row(at: LayerShapes, copies, devices, gradients) -> LayerRow:
  """`gradients` is 1 for conv1: the pixels' gradient is not computed."""
  layer = at.layer
  x = jax.ShapeDtypeStruct((1, *at.reads), jnp.float32)
  variables = jax.eval_shape(layer.module.init, jax.random.key(0), x)
  params = variables.get('params', {})
  kernels = [leaf.shape for path, leaf in
             jax.tree_util.tree_leaves_with_path(params)
             if path[-1].key == 'kernel']
  flops, outputs = _count_products(
      jax.make_jaxpr(layer.module.apply)(variables, x).jaxpr)
  if not outputs:  # a norm, or pooling
    outputs = math.prod(at.neurons)
  if at.outputs != at.neurons:  # pooled
    outputs += math.prod(at.outputs)
  step_flops = copies * (1 + gradients) * flops
  # Every device receives the maps of all columns, and uses those of partners.
  together = (*at.reads[:-1], at.reads[-1] * copies
              // partners.columns_read(layer.partners, copies))
  exchanged = _received(together, devices) * layer.crosses
  return LayerRow(
      layer.name, at.reads, kernels[0] if len(kernels) == 1 else (), at.neurons,
      copies * math.prod(at.neurons),
      copies * sum(leaf.size for leaf in jax.tree.leaves(params)),
      copies * flops, step_flops, copies * FLOAT32 * outputs, exchanged,
      exchanged / step_flops if exchanged else 0.0)


def _count_products(jaxpr) -> tuple[int, int]:
  """Returns FLOPs of all products of a program, and their count of outputs."""
  flops = outputs = 0
  for equation in jaxpr.eqns:
    numbers = equation.outvars[0].aval.size
    inner = [_count_products(getattr(value, 'jaxpr', value))
             for value in equation.params.values()
             if hasattr(getattr(value, 'jaxpr', value), 'eqns')]
    if inner:
      flops += inner[0][0]
      outputs += inner[0][1]
    elif equation.primitive.name == 'conv_general_dilated':
      kernel = equation.invars[1].aval.shape
      maps = kernel[equation.params['dimension_numbers'].rhs_spec[0]]
      flops += 2 * numbers * math.prod(kernel) // maps
      outputs += numbers
    elif equation.primitive.name == 'dot_general':
      (axes, _), _ = equation.params['dimension_numbers']
      shape = equation.invars[0].aval.shape
      flops += 2 * numbers * math.prod(shape[axis] for axis in axes)
      outputs += numbers
  return flops, outputs


def totals(table: Sequence[LayerRow]) -> dict[str, float]:
  """Returns sums over the layers and the ratio of the sums."""
  names = ('neurons', 'parameters', 'flops', 'step_flops', 'map_bytes',
           'exchanged_bytes')
  sums = {name: sum(getattr(row, name) for row in table) for name in names}
  return sums | {'ratio': sums['exchanged_bytes'] / sums['step_flops']}


def as_text(table: Sequence[LayerRow]) -> str:
  """Formats the table as text: one line per layer, totals last."""
  sums = totals(table)
  lines = [('layer', 'reads', 'kernel', 'shape', 'neurons', 'parameters',
            'MFLOP', 'step MFLOP', 'MB of maps', 'bytes exchanged',
            'per FLOP')]
  lines += [(row.layer, *map(_size, (row.reads, row.kernel, row.shape)),
             *_numbers(row._asdict())) for row in table]
  lines.append(('total', '', '', '', *_numbers(sums)))
  text = tables.aligned(lines)
  notes = [NOTE, SLIP] if table[0].neurons == 290_400 else [NOTE]
  if table[-1].layer != 'fc8':
    notes.append(SIDES)
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
  mega.append(f'{row["map_bytes"] / 1e6:,.2f}')
  ratio = row['ratio']
  return (*counts, *mega, f'{row["exchanged_bytes"]:,}',
          f'{ratio:.6f}' if ratio else '0')

