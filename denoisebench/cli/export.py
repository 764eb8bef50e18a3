"""denoisebench export."""

import hashlib
import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from denoisebench.cli import options
from denoisebench.errors import UsageError

if TYPE_CHECKING:
    from denoisebench.deploy.onnx import Exported

EXTRA = ("onnx", "onnxscript", "onnxruntime")


@click.command()
@click.argument("run")
@click.option("--onnx", "file", is_flag=False, flag_value=".", required=True, metavar="[FILE]",
              type=click.Path(path_type=Path),
              help="Write an ONNX model; RUN's name and .onnx if left out.")  # fmt: skip
@click.option("--hu", is_flag=True, help="A model of HU → HU; of [-1, 1] → [-1, 1] otherwise.")
@click.option("--overwrite", is_flag=True, help="Replace FILE where there is one.")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True,
              metavar="DIR", help="Where run folders stand.")  # fmt: skip
@options.scored_task
@options.plugin
@options.as_json
def export(
    run: str,
    file: Path,
    hu: bool,
    overwrite: bool,
    runs: Path,
    task: str | None,
    plugins: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Write a RUN's network as a model for another runtime; RUN is a folder, a name or a hash.

    The model takes slices of any size, and any number of them. It is run in onnxruntime on noisy
    slices of two sizes, and not kept where a pixel differs from torch's by more than 0.0001 in
    [-1, 1].
    """
    from denoisebench.plugins.find import find

    missing = [package for package in EXTRA if find_spec(package) is None]
    if missing:
        raise UsageError(
            f"export --onnx needs {', '.join(missing)}, not installed: "
            "pip install 'denoisebench[export]'"
        )
    catalogue = find(plugins)

    from denoisebench.scoring.opened import find_run, open_run

    opened = open_run(find_run(run, runs), catalogue, task)
    if opened.recipe is None:
        raise UsageError(f"{opened.folder} is a baseline's run; it has no network to export")
    place = file / f"{opened.folder.resolve().name}.onnx" if file.is_dir() else file
    if place.exists() and not overwrite:
        raise UsageError(f"{place} is there already; --overwrite replaces it, or name another FILE")
    if not place.parent.is_dir():
        raise UsageError(f"no folder {str(place.parent)!r} for {place.name}; make it first")
    if opened.note:
        click.echo(f"note: {opened.note}", err=True)

    from denoisebench import atomic
    from denoisebench.deploy.onnx import export as exported_by

    exported = exported_by(opened, hu=hu)
    with atomic.replacing(place) as written:
        written.write(exported.model)
    _print(place, exported, as_json)


def _print(place: Path, exported: "Exported", as_json: bool) -> None:
    """Say what was written, and how far it is from torch."""
    facts, found = exported.metadata, exported.differences
    if as_json:
        differences = [
            {"shape": [batch, 1, height, width], "largest": value}
            for (batch, height, width), value in found.items()
        ]
        answer = {
            "file": str(place),
            "bytes": len(exported.model),
            "sha256": hashlib.sha256(exported.model).hexdigest(),
            "metadata": facts,
            "differences": differences,
        }
        click.echo(json.dumps(answer, indent=1))
        return
    click.echo(f"{place}: {len(exported.model):,} bytes, ONNX opset {facts['opset']}")
    units = facts["units"]
    click.echo(f"  {facts['method']}, {units} → {units}, any size; {facts['use']}")
    for (batch, height, width), value in found.items():
        click.echo(f"  {batch} × 1 × {height} × {width}: within {value:.1e} of torch, in [-1, 1]")
