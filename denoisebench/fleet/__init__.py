"""Sweeps: many runs on one machine, on its GPUs, or on a Ray cluster."""
