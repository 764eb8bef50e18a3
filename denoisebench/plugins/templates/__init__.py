"""Plug-ins to start from, one a kind: `denoisebench new` copies them under another name."""
