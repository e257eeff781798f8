"""AlexNet in JAX: Krizhevsky, Sutskever and Hinton (2012), section by section.

Reading order, with the paper open:

    models/alexnet.py       3      the network: Figure 2 turned on its side
    models/alexnet_2012.py         the same in the released program's order
    layers.py               3.1-4  norm, pooling, dropout, initial weights
    columns.py              3.2    columns on devices, and where they talk
    augment.py              4.1    crops, reflections, colours
    optimizer.py            5      the update rule and the learning rate
    step.py                        one update, one evaluation
    train.py                       a run: a fold of the step over batches
    compare.py, report.py   3-7    many runs, beside the paper's numbers
    predict.py, retrieve.py 6.1    labels for pictures, and similar pictures
    figures/                3.1,6  Figures 1, 3 and 4, and what is behind them

Letters for axes: B batch, H height, W width, C maps per column, K columns.
Words: a column is the half of the net on one GPU; a crossing is a layer that
reads every column's maps; features are the last hidden layer's 4096 numbers.

Imports point down only: launch.py -> tasks (train, evaluate, describe, ...) ->
shell (checkpoint, journal, step) -> models -> mathematics. `data/` stands
beside the mathematics and never imports jax.
"""
