"""What a user reads when something given cannot work."""


class InputError(ValueError):
  """One sentence: what was given, what would do, what to change.

  Raised before anything compiles wherever that is possible; `launch.py` prints
  the sentence without a traceback and exits with status 2.
  """
