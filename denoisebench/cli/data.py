"""denoisebench data."""

import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click
from rich.markup import escape

from denoisebench.cli import options
from denoisebench.cli.data_fetch import fetch
from denoisebench.data.split import SPLITS
from denoisebench.errors import UsageError

if TYPE_CHECKING:
    from denoisebench.data.dataset import DataSet
    from denoisebench.data.store.layout import Prepared


@click.group()
def data() -> None:
    """Prepare, list, verify or fetch CT data."""


@data.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR",
              help="The folder to make; without it, one in the cache.")  # fmt: skip
@click.option("--workers", type=click.IntRange(0), help="Processes that read; one a core.")
@options.as_json
def prepare(folder: Path, out: Path | None, workers: int | None, as_json: bool) -> None:
    """Read a DIR of CT once, and keep its HU where they open at once.

    DICOM and NIfTI, in folders of any depth. What is no CT slice in known HU is set aside, and the
    report says why. The same command goes on after an interruption. `run --data DIR` does the same
    by itself.
    """
    from denoisebench.cli.progress import Display
    from denoisebench.data.store import cache, layout
    from denoisebench.data.store import prepare as store

    place = cache.cached(folder) if out is None else out
    with Display() as display:
        dataset = store.prepare(
            folder, place, workers=workers, progress=display.reading, waiting=display.waiting
        )
    record = layout.read_record(place)
    if as_json:
        aside = [item.__dict__ for item in dataset.set_aside]
        click.echo(json.dumps({**_facts(place, record), "set_aside": aside}, indent=1))
    else:
        _print_report(place, record, dataset)


def _facts(place: Path, record: "Prepared") -> dict[str, Any]:
    facts = record.model_dump(mode="json", exclude={"aside", "shards", "source", "index_digest"})
    size = sum(path.stat().st_size for path in place.iterdir())
    return {**facts, "bytes": size, "path": str(place)}


def _print_report(place: Path, record: "Prepared", dataset: "DataSet") -> None:
    """Say what was accepted, and what was not and why, most frequent reason first."""
    from rich.console import Console
    from rich.table import Table

    splits = ", ".join(
        f"{name} {slices} of {patients}"
        for name, slices, patients in zip(SPLITS, record.slices, record.patients, strict=True)
    )
    click.echo(
        f"{record.name}: {sum(record.slices)} slices of {sum(record.patients)} patients, "
        f"from {record.accepted} of {record.files} files → {place}\n  {splits} patients"
    )
    for note in record.notes:
        click.echo(f"  note: {note}")
    if any(record.licences):
        click.echo("  licences: " + ", ".join(name or "unknown" for name in record.licences))
    if not record.aside:
        return
    paths: dict[str, list[str]] = defaultdict(list)
    for aside, named in zip(record.aside, dataset.set_aside, strict=True):
        paths[aside.reason + (" another" if aside.other else "")].append(named.path)
    table = Table("", "set aside because", "for example", box=None, pad_edge=False)
    table.columns[0].justify = "right"
    table.columns[2].overflow = "fold"
    for reason, found in sorted(paths.items(), key=lambda item: -len(item[1])):
        table.add_row(str(len(found)), escape(reason), escape(found[0]))
    click.echo()
    Console().print(table)


@data.command("list")
@options.as_json
def list_(as_json: bool) -> None:
    """Say which data sets are on this machine."""
    from denoisebench.data.fetch import known
    from denoisebench.data.store import cache, layout

    entries: list[dict[str, Any]] = [{"name": "phantom", "state": "embedded"}]
    lines = [f"{'phantom':<16} embedded"]
    for name in known.names():
        there = known.is_fetched(name)
        state, path = ("fetched", str(known.default_folder(name))) if there else ("public", "")
        entries.append({"name": name, "state": state, "path": path})
        lines.append(f"{name:<16} public: {path or f'denoisebench data fetch {name}'}")
    for place in cache.in_cache():
        try:
            record = layout.read_record(place)
        except UsageError as problem:
            entries.append({"name": "", "state": "damaged", "path": str(place)})
            lines.append(f"{'damaged':<16} {problem}")
            continue
        facts = {"state": "prepared", **_facts(place, record)}
        entries.append(facts)
        licences = ", ".join(name for name in record.licences if name) or "licence unknown"
        lines.append(
            f"{record.name:<16} {sum(record.slices)} slices, {sum(record.patients)} patients, "
            f"{facts['bytes'] / 2**30:.2f} GiB, {licences}, {record.made}  {place}"
        )
    for place in cache.unfinished():
        entries.append({"name": "", "state": "unfinished", "path": str(place)})
        lines.append(f"{'unfinished':<16} {place}")
    click.echo(json.dumps(entries, indent=1) if as_json else "\n".join(lines))


@data.command()
@click.argument("name", metavar="DATA")
@options.as_json
def verify(name: str, as_json: bool) -> int:
    """Hold pixels against their digests, and splits against each other.

    DATA is a folder of CT that has a manifest.csv with digests or was prepared, a prepared folder,
    or a name that `data list` prints.
    """
    from denoisebench.cli.progress import Display
    from denoisebench.data.fetch import known
    from denoisebench.data.named import folder_of
    from denoisebench.data.store import cache, layout, prepare
    from denoisebench.data.store.verify import verify_files, verify_prepared

    if name == "phantom":
        raise UsageError("phantom is drawn by this program: there are no pixels to hold it against")
    place = folder_of(name)
    with Display() as display:
        found = []
        if not layout.is_prepared(place):
            try:
                found.append(("files", verify_files(place, display.reading)))
            except UsageError:  # its files have no digests; what was prepared of them has
                if not layout.is_prepared(cache.cached(place)):
                    raise
            if not any(one.problems for _, one in found):
                dataset = prepare.open_folder(
                    place, progress=display.reading, waiting=display.waiting
                )
                place = cache.cached(place)
                display.data(dataset)
        if layout.is_prepared(place):
            found.append(("prepared", verify_prepared(place, display.verifying)))
    entries = [{"what": what, **one.__dict__} for what, one in found]
    lines = []
    for what, one in found:
        said = "the digests of manifest.csv" if what == "files" else "their digests"
        lines.append(f"{one.right} of {one.slices} slices equal {said}")
        lines += [f"  {problem}" for problem in one.problems]
    right = not any(one.problems for _, one in found)
    if right:
        body = layout.read_record(place).of_one_body
        lines.append(f"no {'' if body else 'patient and no '}slice is in two splits")
        digests = layout.read_array(place / layout.INDEX_FILE)["digest"]
        public = known.resemble(digest.tobytes().hex() for digest in digests)
        if public:
            lines.append("{1} of {2} slices of {0} are among them".format(*public))
    click.echo(json.dumps(entries, indent=1) if as_json else "\n".join(lines))
    return 0 if right else 1


data.add_command(fetch)
