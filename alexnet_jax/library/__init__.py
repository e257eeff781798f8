"""The package as a library: a trained network in a program of one's own.

`alexnet_jax.load` and `alexnet_jax.build` are those of opening.py, and
docs/library.md shows what can be done with the `Network` that they return.
"""
