"""A run, measured again: by a process that sees noisy pixels only, under noise nobody has seen."""
