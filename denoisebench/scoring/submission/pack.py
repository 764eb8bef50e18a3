"""Pack a run: the same run is the same bytes, on any machine and at any time."""

import hashlib
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

from denoisebench.atomic import write_text
from denoisebench.errors import UsageError
from denoisebench.plugins.card import Card
from denoisebench.plugins.find import Catalogue
from denoisebench.plugins.source import source_digest
from denoisebench.scoring.environment import environment
from denoisebench.scoring.opened import MODEL, Opened
from denoisebench.scoring.submission.check import Checked, check
from denoisebench.scoring.submission.contents import CARD, LIMITS, File, Submission
from denoisebench.scoring.submission.private import own_names

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say
BLOCK = 1 << 20
UNUSUAL = re.compile(r"[^A-Za-z0-9_+.-]")


def pack(
    opened: Opened,
    out: Path,
    catalogue: Catalogue,
    *,
    weights: bool = True,
    name: str | None = None,
    url: str | None = None,
    note: str | None = None,
) -> Checked:
    """Write a run that is done into a zip, and check it as a maintainer will.

    Args:
        opened: the run.
        out: the zip; replaced at once, and left as it is where something is refused.
        catalogue: where its plug-ins are.
        weights: whether they are packed; without them nobody can verify a network.
        name, url, note: see `Submission`.
    Raises:
        UsageError: a file is missing, or a text names a place, a person or an image.
    """
    paths = {known: opened.folder / known for known in LIMITS if known != CARD}
    paths = {known: path for known, path in paths.items() if path.is_file()}
    if opened.recipe is None or not weights:
        paths.pop(MODEL, None)
    elif MODEL not in paths:
        raise UsageError(
            f"no {opened.folder / MODEL}; without weights nobody can verify it: --no-weights"
        )
    paths |= {f"plugins/{card.path.name}": card.path for card in _own_plugins(opened, catalogue)}
    found = environment()
    submission = Submission(
        run=UNUSUAL.sub("-", opened.folder.resolve().name)[:100],
        method=opened.result.method,
        recipe=opened.result.recipe,
        task=opened.result.task,
        data=opened.result.data,
        versions={"denoisebench": found["packages"]["denoisebench"], "python": found["python"]},
        name=name,
        url=url,
        note=note,
        files={known: _file(path) for known, path in sorted(paths.items())},
    )
    beside = out.with_name(f"{out.name}.{os.getpid()}.writing")
    try:
        _write(beside, submission, paths)
        checked = check(beside, own=own_names())
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)
    return checked


def _own_plugins(opened: Opened, catalogue: Catalogue) -> list[Card]:
    """Plug-ins that the run used and that come neither with denoisebench nor with a package."""
    digests = dict(opened.recipe.plugins) if opened.recipe else {}
    used = [key.partition(" ")[::2] for key in digests]
    cards = [catalogue.get(kind, name) for kind, name in used] or [opened.part.card]
    own = [card for card in cards if card.origin in ("file", "folder")]
    for card in own:
        if digests.get(f"{card.kind} {card.name}", card.digest) != card.digest:
            raise UsageError(
                f"{card.path} has changed since {opened.folder.name} was trained; "
                "give --plugin the file as it was, or train again"
            )
        if source_digest(card.path) != _alone(card.path):
            raise UsageError(f"{card.path} imports files beside it; put all of it into one file")
    if len({card.path.name for card in own}) < len({card.path for card in own}):
        raise UsageError("two plug-in files of the run have one name; rename one and train again")
    return own


def _alone(path: Path) -> str:
    """What a source's digest is where it imports no siblings."""
    content = path.read_bytes().replace(b"\r\n", b"\n")
    return hashlib.sha256(f"\0{len(content)}\0".encode() + content).hexdigest()


def _file(path: Path) -> File:
    with path.open("rb") as file:
        return File(
            sha256=hashlib.file_digest(file, "sha256").hexdigest(), bytes=path.stat().st_size
        )


def _write(place: Path, submission: Submission, paths: Mapping[str, Path]) -> None:
    """Write a zip without compression: its bytes depend on no zlib, and no size in it can lie."""
    card = place.with_name(f"{place.name}.json")
    try:
        write_text(card, submission.model_dump_json(indent=1) + "\n")
        with zipfile.ZipFile(place, "w", zipfile.ZIP_STORED) as archive:
            for name, path in [(CARD, card), *sorted(paths.items())]:
                entry = zipfile.ZipInfo(name, EPOCH)
                entry.create_system, entry.external_attr = 3, 0o644 << 16
                with path.open("rb") as file, archive.open(entry, "w", force_zip64=True) as into:
                    while block := file.read(BLOCK):
                        into.write(block)
    finally:
        card.unlink(missing_ok=True)
