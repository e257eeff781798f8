"""Drawing only: arrays and numbers in, a picture file out.

style.py defines the common style. Nothing is trained or measured here.
"""
