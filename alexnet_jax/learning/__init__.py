"""Sections 4 and 5: augmentation, the update rule, errors, and one step.

Only pure functions of arrays and keys: no files, flags, configs or checkpoints.
"""
