"""A network in the formats of other programs, and the card that describes it.

A file for each format. `operations.py` writes a network down in the standard
operations that ONNX and PyTorch share. Nothing here reads a checkpoint: a task
opens the network.
"""
