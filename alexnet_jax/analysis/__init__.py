"""Section 6.1: measurements of what a trained network has learned.

The modules compute features, retrieval, binary codes, kernel statistics and
projections. The code that draws them is in `figures/`.
"""
