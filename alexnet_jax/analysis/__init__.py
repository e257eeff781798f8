"""Section 6.1: what a trained network has learned, in numbers.

Features, retrieval, binary codes, kernels and projections. Pictures of them are
in `figures/`.
"""
