"""A plug-in whose library is not installed: it is listed with its reason and breaks nothing."""

import a_library_that_nobody_has

from denoisebench import metric


@metric("needs_more", unit="", better="lower", version=1)
def needs_more(output, target):
    """Ask a library that is not there."""
    return a_library_that_nobody_has.measure(output, target)
