"""Measuring speed: work that takes turns, layer by layer, and what feeds it."""
