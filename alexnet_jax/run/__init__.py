"""A run: a config becomes an experiment, and a loop with checkpoints takes it.

Everything that touches files, signals and devices while a network is trained or
tested. Tasks, tables and pictures are elsewhere.
"""
