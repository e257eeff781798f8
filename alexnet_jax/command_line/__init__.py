"""The command line: which task runs, with which flags and which config.

Reading configs and checking the values of their fields are elsewhere: in
config_files.py and in run/.
"""
