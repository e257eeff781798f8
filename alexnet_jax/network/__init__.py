"""Section 3: layers, columns on devices, and the networks made of them.

Pure: no os, absl, ml_collections, orbax, grain or tqdm. Whatever trains, saves
or measures a network lives above.
"""
