"""Plug-ins: find them, read their cards, parse expressions, load them, check their contracts.

`card` reads a source file with `ast`; `find` gathers the cards of all sources; `expression` turns
what users type into cards with knobs and weights; only `load` runs a plug-in's file.
"""
