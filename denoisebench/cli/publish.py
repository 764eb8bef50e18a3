"""denoisebench publish."""

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from denoisebench.cli import options
from denoisebench.errors import UsageError

if TYPE_CHECKING:
    from denoisebench.board.page.output import Output
    from denoisebench.board.page.pictures import Album
    from denoisebench.board.page.site import Site
    from denoisebench.cli.progress import Display

PHANTOM = "phantom"


@click.command()
@click.argument("out", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True,
              metavar="DIR", help="Where run folders stand.")  # fmt: skip
@click.option("--data", default=PHANTOM, show_default=True, metavar="DIR",
              help="What the runs were scored on, for the pictures.")  # fmt: skip
@click.option("--pictures/--no-pictures", default=None,
              help="Show test slices; --data DIR needs to be told so.")  # fmt: skip
@click.option("--slices", type=click.IntRange(1), default=6, show_default=True,
              help="How many test slices the page shows.")  # fmt: skip
@options.plugin
def publish(
    out: Path,
    runs: Path,
    data: str,
    pictures: bool | None,
    slices: int,
    plugins: tuple[Path, ...],
) -> None:
    """Write a page of all boards below --runs into DIR; it opens from there, and from any server.

    A board has its table, its plots, a page for each run, and a comparison of pictures: a few test
    slices, denoised again by every method. Pictures of patients' slices leave this machine with the
    page; so they are made from a folder only where --pictures asks for them.
    """
    patients = data != PHANTOM
    if patients and pictures is None:
        raise UsageError(
            f"--data {data} would put pictures of patients' slices into the page; add --pictures "
            "where all who may see the page may see them, or leave out --data"
        )
    if not runs.is_dir():
        raise UsageError(f"no folder {str(runs)!r}; denoisebench run makes one, or give --runs")

    from denoisebench.board.page.output import Output, refuse
    from denoisebench.plugins.find import find

    refuse(out)
    catalogue = find(plugins)

    from denoisebench.board import board as boards
    from denoisebench.board.page.site import Site, write_site

    found, problems = boards.collect(runs)
    if not found:
        raise UsageError(f"no results below {str(runs)!r}; denoisebench run makes one")
    site = Site(found, boards.boards(found), problems, catalogue)

    from denoisebench.cli.progress import Display

    output = Output(out)
    output.open()
    with Display() as display:
        albums: dict[str, Album] = {}
        if pictures is not False:
            albums = _albums(site, output, data, slices, display)
        write_site(site, output, albums, _wanting(patients))
    output.finish()
    if albums and patients:
        click.echo("the page holds pictures of patients' slices", err=True)
    click.echo(out / "index.html")


def _albums(
    site: "Site", output: "Output", data: str, slices: int, display: "Display"
) -> "dict[str, Album]":
    """Make the pictures of those boards that were measured on `data`."""
    if data == PHANTOM and not any(board.data == PHANTOM for board in site.boards):
        return {}

    from denoisebench.board.page.pictures import Studio, fits, make_album
    from denoisebench.data.named import open_data

    dataset = open_data(data, progress=display.reading, waiting=display.waiting)
    device = options.torch_device("auto")
    studio = Studio(dataset, site.catalogue, device, slices, display.working)
    albums = {}
    for board in site.boards:
        if not fits(board, dataset):
            display.say(f"no pictures: {board.data} is not this {dataset.name}")
            continue
        folder = site.folder(board)
        try:
            album = make_album(board, site.members(board), folder, studio, output)
        except UsageError as error:
            display.say(f"no pictures of {board.key.task} on {board.data}: {error}")
            continue
        albums[folder] = album
        for problem in album.left_out:
            display.say(f"no pictures of {problem}")
    return albums


def _wanting(patients: bool) -> str:
    given = "--data and --pictures" if not patients else "--pictures and the data it was scored on"
    return (
        "no pictures of this board: denoisebench publish makes them where the data are, "
        f"with {given}"
    )
