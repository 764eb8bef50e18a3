"""Public CT that anyone can get: which data sets there are, and their transfer to this machine.

Nothing is downloaded except by `denoisebench data fetch`. A slice stands under its own name only
after its pixels were read and found to be those that the manifest names.
"""
