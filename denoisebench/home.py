"""The folders that are not the user's: the cache, and what comes with denoisebench."""

import os
from importlib.util import find_spec
from pathlib import Path

from platformdirs import user_cache_path


def home() -> Path:
    """Return `$DENOISEBENCH_HOME`, or the platform's cache folder: data, scores, weights."""
    chosen = os.environ.get("DENOISEBENCH_HOME")
    return Path(chosen) if chosen else user_cache_path("denoisebench")


def anonymous(text: str) -> str:
    """Spell places for a report that may be pasted somewhere: without the user's home folder."""
    chosen = os.environ.get("DENOISEBENCH_HOME")
    if chosen:
        text = text.replace(chosen, "$DENOISEBENCH_HOME")
    try:
        return text.replace(str(Path.home()), "~")
    except RuntimeError:  # there is none
        return text


def registry_folder() -> Path:
    """Return the folder of the package `denoisebench.registry`, without importing it."""
    spec = find_spec("denoisebench.registry")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])
