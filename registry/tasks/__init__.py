"""Plug-ins and files that come with denoisebench."""
