"""AlexNet in JAX: Krizhevsky, Sutskever and Hinton (2012), section by section.

Reading order, with the paper open:

    network/alexnet.py       3      the network of Figure 2
    network/alexnet_2012.py         the same in the released program's order
    network/published.py            the same as other programs publish it
    network/layers.py        3.1-4  norm, pooling, dropout, initial weights
    network/columns.py       3.2    columns on devices, and their crossings
    learning/augment.py      4.1    crops, reflections, colors
    learning/optimizer.py    5      the update rule and the learning rate
    learning/step.py                one update, one evaluation
    data/                    2      pictures on disk to uint8 batches
    run/                            a config becomes a run with checkpoints
    results/                 3-7    many runs beside the paper's numbers
    analysis/, figures/      6.1    what the network has learned, in pictures
    tasks/                          one file for each --task of launch.py

Letters for axes: B batch, H height, W width, C maps per column, K columns.
A column is the half of the net on one GPU; a crossing is a layer that reads
every column's maps; features are the last hidden layer's 4096 numbers.
Modules import only from lower layers of the package;
tests/test_architecture.py lists these layers.
"""
