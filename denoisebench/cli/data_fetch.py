"""denoisebench data fetch."""

import json
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import rich_click as click

from denoisebench.cli import options
from denoisebench.errors import Unavailable

EXTRA = ("requests", "urllib3", "duckdb", "idc_index_data")


@click.command()
@click.argument("name")
@click.option(
    "--patients", type=click.IntRange(3), metavar="N", help="The first N patients, 3 or more."
)
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Another folder.")
@click.option(
    "--via", type=click.Choice(["tcia", "idc"]), help="Another archive that has the same slices."
)
@click.option(
    "--from",
    "url",
    envvar="DENOISEBENCH_FETCH_URL",
    metavar="URL",
    help="A mirror of the archive's interface; {bucket} stands for a bucket of IDC.",
)
@options.as_json
def fetch(
    name: str,
    patients: int | None,
    out: Path | None,
    via: str | None,
    url: str | None,
    as_json: bool,
) -> int:
    """Download public CT, check its digests, and write licences and citations beside it.

    NAME is tcia-mini (236 slices, 0.1 GB) or ct-lymph-nodes (110,003 slices, 57.8 GB; with
    --patients N less). A fetch that was cut off goes on by the same command.
    """
    from denoisebench.cli.progress import Display
    from denoisebench.data.fetch import known

    facts, rows = known.choose(name, patients)
    missing = next((package for package in EXTRA if find_spec(package) is None), None)
    if missing:
        raise Unavailable(
            f"data fetch needs {missing}, which is not installed: pip install 'denoisebench[fetch]'"
        )
    from denoisebench.data.fetch.download import fetch as download

    folder = out or known.default_folder(name)
    slices = sum(row.slices for row in rows)
    size = slices * facts.bytes / facts.slices / 1e9
    licences = " and ".join(sorted({item.licence for item in facts.collections}))
    with Display() as display:
        display.say(f"{name}: {slices} slices, {size:.1f} GB, {licences} → {folder}")
        done = download(
            facts,
            rows,
            folder,
            via=via,
            url=url,
            progress=lambda here, total: display.working(f"fetching {name}", here, total),
        )
    for failure in done.failures:
        click.echo(f"{failure.path}: {failure.reason}", err=True)
    if as_json:
        click.echo(json.dumps(asdict(done) | {"folder": str(folder)}, indent=1))
    else:
        click.echo(f"{name}: {done.here} of {done.wanted} slices, {done.new} new: {folder}")
    if done.here < done.wanted:
        click.echo(
            f"Error: {done.wanted - done.here} slices of {name} could not be had; "
            "the same command goes on",
            err=True,
        )
        return 1
    return 0
