"""Denoisers that need no training."""
