"""Plug-ins for denoisebench; each file of this package is looked at."""
