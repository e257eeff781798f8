"""Comparisons of finished runs: claims, means over seeds, averages, searches.

These modules read the files that runs wrote; they train nothing.
"""
