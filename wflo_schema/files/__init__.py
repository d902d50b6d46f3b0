"""Migration files as values: a folder, a script, its statements."""
