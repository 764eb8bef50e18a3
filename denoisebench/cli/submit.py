"""denoisebench submit."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from denoisebench.cli import options
from denoisebench.errors import UsageError

if TYPE_CHECKING:
    from denoisebench.scoring.submission.check import Checked

OPTION_PANELS = {
    "Pack": ["--runs", "--plugin", "--out", "--no-weights", "--name", "--url", "--note"],
    "Receive": ["--check", "--into"],
    "How": ["--json", "--help"],
}


@click.command(
    context_settings={
        "rich_help_config": {  # the decorator for this imports rich, even for a mistake
            "option_groups": {
                "*": [{"name": title, "options": names} for title, names in OPTION_PANELS.items()]
            },
            "max_width": 100,
        }
    }
)
@click.argument("run", required=False)
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True,
              metavar="DIR", help="Where run folders stand.")  # fmt: skip
@options.plugin
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE",
              help="The zip to write; the run's name and .zip if left out.")  # fmt: skip
@click.option("--no-weights", is_flag=True, help="Leave out the weights: nobody can verify it.")
@click.option("--name", help="Who submits it, as the board may name them.")
@click.option("--url", help="Where to read more.")
@click.option("--note", help="What a reader should know.")
@click.option("--check", "received", type=click.Path(path_type=Path), metavar="FILE",
              help="Check a submission instead.")  # fmt: skip
@click.option("--into", type=click.Path(path_type=Path), metavar="DIR",
              help="With --check: unpack it into a folder of its own in DIR.")  # fmt: skip
@options.as_json
def submit(
    run: str | None,
    runs: Path,
    plugins: tuple[Path, ...],
    out: Path | None,
    no_weights: bool,
    name: str | None,
    url: str | None,
    note: str | None,
    received: Path | None,
    into: Path | None,
    as_json: bool,
) -> int:
    """Pack a RUN for somebody else's board, or check what somebody sent.

    The zip holds scores, recipe, log, weights and plug-in sources; no picture, no pixels, no
    patient data. It is not written where a text in it names a path, a person, a host or a UID.
    """
    if received is not None:
        given = {"RUN": run, "--out": out, "--name": name, "--url": url, "--note": note,
                 "--no-weights": no_weights or None, "--plugin": plugins or None}  # fmt: skip
        ignored = [word for word, value in given.items() if value is not None]
        if ignored:
            raise UsageError(f"--check packs nothing; leave out {', '.join(ignored)}")

        from denoisebench.scoring.submission.check import check

        checked = check(received, into=into)
        _answer(checked, _receive_lines(checked), as_json)
        return 0
    if run is None:
        raise UsageError("name a RUN to pack, or a zip with --check FILE")
    if into is not None:
        raise UsageError("--into unpacks what --check FILE names; --out says where a zip goes")

    from denoisebench.plugins.find import find

    catalogue = find(plugins)

    from denoisebench.scoring.opened import find_run, open_run
    from denoisebench.scoring.submission.pack import pack

    opened = open_run(find_run(run, runs), catalogue)
    place = out or Path(f"{opened.folder.resolve().name}.zip")
    checked = pack(opened, place, catalogue, weights=not no_weights, name=name, url=url, note=note)
    for line in _warnings(opened.folder, checked):
        click.echo(f"note: {line}", err=True)
    _answer(checked, [f"{place}: {place.stat().st_size:,} bytes", *_facts(checked)], as_json)
    return 0


def _warnings(folder: Path, checked: "Checked") -> list[str]:
    """What a submitter should know before sending."""
    from denoisebench.scoring.result import Verification, read_model

    found = []
    if checked.kind == "network" and not checked.weights:
        found.append("without weights nobody can verify it; boards show it as unverified")
    if not (folder / "verification.json").exists():
        found.append(
            f"it was never verified; denoisebench verify {folder.name} says what others will find"
        )
    elif not read_model(folder / "verification.json", Verification).passed:
        found.append("verification.json says that it failed; others will find the same")
    return found


def _facts(checked: "Checked") -> list[str]:
    submission = checked.submission
    return [
        f"  {submission.method}, {submission.task} on {submission.data}",
        f"  SHA-256 {checked.sha256}",
        *(f"  {name}: {file.bytes:,} bytes" for name, file in submission.files.items()),
    ]


def _receive_lines(checked: "Checked") -> list[str]:
    """What a maintainer does next."""
    lines = ["whole, consistent and discreet:", *_facts(checked)]
    who = [text for text in (checked.submission.name, checked.submission.url) if text]
    lines += [f"  from {', '.join(who)}"] if who else []
    lines += [f"  note: {checked.submission.note}"] if checked.submission.note else []
    if checked.plugins:
        lines.append(f"It holds code: read {', '.join(checked.plugins)} before you name it.")
    if checked.claims:
        lines.append(f"Not unpacked, as you measure it yourself: {', '.join(checked.claims)}.")
    if checked.folder is None:
        return [*lines, "Next: the same with --into DIR."]
    plugins = "".join(f" --plugin {checked.folder / name}" for name in checked.plugins)
    if checked.kind == "network" and not checked.weights:
        return [*lines, f"Unpacked to {checked.folder}; without weights it stays unverified."]
    return [
        *lines,
        f"Next: denoisebench verify {checked.folder} --data DATA{plugins}",
        "If that passes, commit the folder without model.safetensors (benchmarks/README.md).",
    ]


def _answer(checked: "Checked", lines: list[str], as_json: bool) -> None:
    if as_json:
        facts = asdict(checked)
        facts["submission"] = checked.submission.model_dump()
        facts["folder"] = str(checked.folder) if checked.folder else None
        lines = [json.dumps(facts, indent=1)]
    # What a stranger wrote does not command this terminal.
    for line in lines:
        click.echo("".join(c if c.isprintable() or c == "\n" else "�" for c in line))
