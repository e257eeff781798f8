"""Section 3: layers, columns on devices, and the networks made of them.

These modules are pure: they do not import os, absl, ml_collections, orbax,
grain or tqdm. The code that trains, saves or measures a network is in the
packages that import this one.
"""
