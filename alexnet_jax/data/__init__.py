"""From pictures on disk to uint8 batches; numpy, Grain and TFDS, no jax.

Read sources.py first, then loader.py. Sources: procedural.py, folders.py,
records.py, builders.py (TFDS). images.py decodes and squares; prepare.py,
with shards.py and statistics.py, turns any source into records once.
"""
