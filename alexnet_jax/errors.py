"""The exception for invalid input from the user."""


class InputError(ValueError):
  """Invalid input, described in one sentence.

  The message says what the user gave, what is accepted and what to change. It
  is raised before compilation wherever possible. `launch.py` prints it without
  a traceback and exits with status 2.
  """
