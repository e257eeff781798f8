"""One file a task: its flags, whether it needs --config, and `run`.

Tasks never import each other; code that two of them need is in one of the
other packages.
"""
