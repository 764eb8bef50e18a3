"""The embedded data set: procedural torso CT, the same bits on every machine.

A patient is a seed. See `draw`.
"""

from denoisebench.data.phantom.slices import LEVELS, draw, level, spacing_mm

__all__ = ["LEVELS", "draw", "level", "spacing_mm"]
