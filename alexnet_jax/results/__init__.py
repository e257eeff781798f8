"""Finished runs compared: claims, means over seeds, averages, searches.

Reads what runs have written; trains nothing.
"""
