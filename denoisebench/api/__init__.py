"""The Python API; `denoisebench/__init__.py` says which names of it are public."""
