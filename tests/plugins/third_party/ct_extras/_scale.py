"""What the plug-ins of this package share; files that start with _ hold none."""

LEVELS = 127.5
"""Grey levels in one unit of [-1, 1]."""
