"""From pictures on disk to uint8 batches, with NumPy, Grain and TFDS, not JAX.

Read sources.py first, then loader.py. Sources: procedural.py, folders.py,
records.py, builders.py (TFDS), cifar.py. folders.py is made of walk.py, which
lists pictures, splits.py, which finds the folders of the splits, set_aside.py,
classes.py and label_files.py; all_pictures.py and pictures.py open other
pictures than those of a run. decoding.py reads picture files of any format,
images.py resizes and crops; prepare.py, with shards.py and statistics.py,
converts any source to records.
"""
