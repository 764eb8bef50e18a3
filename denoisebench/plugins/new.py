"""Write a plug-in to start from, with its test."""

import keyword
from pathlib import Path

from denoisebench import atomic
from denoisebench.errors import UsageError

TEMPLATES = Path(__file__).parent / "templates"
KINDS = {
    "loss": "loss",
    "adversarial": "loss",
    "penalty": "loss",
    "generator": "generator",
    "discriminator": "discriminator",
    "baseline": "baseline",
    "metric": "metric",
}
"""What can be written → the kind of plug-in that it is."""


def write(what: str, name: str, folder: Path) -> tuple[Path, Path]:
    """Write a working plug-in and its test into a folder, which is made if it is not there.

    Args:
        what: one of `KINDS`.
        name: what users will type; also the file's name.
        folder: where; existing files are never overwritten.
    Returns:
        The plug-in's file and the test's.
    Raises:
        UsageError: no such kind, a name that cannot be typed in an expression, or a file is there.
    """
    if what not in KINDS:
        raise UsageError(f"nothing to write for {what!r}; one of: {', '.join(KINDS)}")
    if not (name.isidentifier() and name.isascii()) or keyword.iskeyword(name):
        raise UsageError(f"a plug-in's name is a Python identifier, got {name!r}; try my_{what}")
    if name.startswith(("_", "test_")):
        raise UsageError(f"files that start with _ or test_ are no plug-ins, got {name!r}")
    files = {folder / f"{name}.py": f"{what}.py", folder / f"test_{name}.py": "test_my_plugin.py"}
    there = [str(path) for path in files if path.exists()]
    if there:
        raise UsageError(f"{there[0]} exists already; give another name, or --out another folder")
    with atomic.told(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for path, template in files.items():
        text = (TEMPLATES / template).read_text(encoding="utf-8")
        atomic.write_text(path, text.replace("my_plugin", name).replace("KIND", KINDS[what]))
    plugin, test = files
    return plugin, test
