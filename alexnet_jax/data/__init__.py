"""From pictures on disk to uint8 batches, with NumPy, Grain and TFDS, not JAX.

Read sources.py first, then loader.py. Sources: procedural.py, folders.py,
records.py, builders.py (TFDS). images.py decodes, resizes and crops;
prepare.py, with shards.py and statistics.py, converts any source to records.
"""
