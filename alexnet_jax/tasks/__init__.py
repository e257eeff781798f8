"""One file a task: its flags, whether it needs --config, and `run`.

Tasks never import each other; what two of them need is a function in a room
below.
"""
