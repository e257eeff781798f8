"""Named arrays from the files of any program; nothing in them is executed."""
