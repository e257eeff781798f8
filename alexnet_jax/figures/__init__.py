"""Drawing only: arrays and numbers in, a picture file out.

style.py is how all of them look. Nothing is trained or measured here.
"""
