"""Runs an experiment: from a config to a training loop with checkpoints.

This package handles files, signals and devices while a network is trained or
tested. Tasks, tables and pictures are in other packages.
"""
