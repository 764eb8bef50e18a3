"""denoisebench denoise."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from denoisebench.cli import options
from denoisebench.errors import UsageError

if TYPE_CHECKING:
    from denoisebench.cli.progress import Display
    from denoisebench.data.scan import SetAside
    from denoisebench.deploy.denoise import Change
    from denoisebench.deploy.fitness import Look
    from denoisebench.deploy.method import Method
    from denoisebench.deploy.series import Series

SHOWN = 10  # files set aside that are named


@click.command()
@click.argument("run")
@click.argument("given", metavar="INPUT", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True,
              metavar="DIR", help="Where run folders stand.")  # fmt: skip
@click.option("--series", metavar="UID", help="One series of a folder that has several.")
@click.option("--anyway", is_flag=True,
              help="Denoise what the run was not trained for, too.")  # fmt: skip
@click.option("--sigma", type=click.FloatRange(min=0, min_open=True), metavar="HU",
              help="How much noise there is, for a baseline; the task's if left out.")  # fmt: skip
@click.option("--tile", type=click.IntRange(min=1), metavar="PIXELS",
              help="Denoise longer slices in tiles that overlap: less memory.")  # fmt: skip
@options.scored_task
@options.plugin
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, or auto.")
@options.as_json
def denoise(
    run: str,
    given: Path,
    output: Path,
    runs: Path,
    series: str | None,
    anyway: bool,
    sigma: float | None,
    tile: int | None,
    task: str | None,
    plugins: tuple[Path, ...],
    device: str,
    as_json: bool,
) -> None:
    """Denoise DICOM series, or a NIfTI volume, with a RUN; not for diagnosis.

    RUN is a folder, or one below --runs: its name, such as resunet-l1, with or without the hash, or
    the first digits of the hash. INPUT is a DICOM file or a folder of them, or a NIfTI volume;
    OUTPUT, of the same kind, must not be there. Values outside the task's window stay as they are.
    The same command goes on where one was stopped.
    """
    from denoisebench.plugins.find import find

    catalogue = find(plugins)

    from denoisebench.scoring.opened import find_run, open_run

    opened = open_run(find_run(run, runs), catalogue, task)

    from denoisebench.deploy.denoise import refuse_taken
    from denoisebench.deploy.method import check, method_of
    from denoisebench.deploy.volume import is_volume

    check(opened, sigma_hu=sigma, tile=tile)
    _refuse_paths(given, output, series, volume=is_volume(given))
    refuse_taken(output, folder=given.is_dir())

    from denoisebench.cli.progress import Display

    with Display() as display:
        if opened.note:
            display.say(f"note: {opened.note}")
        where = options.torch_device(device)
        method = method_of(opened, where, sigma_hu=sigma, tile=tile)
        found = (
            _volume(given, output, method, display, anyway=anyway)
            if is_volume(given)
            else _series(given, output, method, display, series, anyway=anyway)
        )
    if as_json:
        click.echo(json.dumps({"method": method.name, "series": found}, indent=1))
    else:
        for one in found:
            click.echo(_line(one))


def _refuse_paths(given: Path, output: Path, series: str | None, *, volume: bool) -> None:
    from denoisebench.deploy.volume import ENDINGS, is_volume

    if not given.exists():
        raise UsageError(f"no file or folder '{given}'; give a DICOM file, a folder, or NIfTI")
    if volume != is_volume(output):
        kinds = f"a name that ends with {' or '.join(ENDINGS)}" if volume else "a DICOM file's name"
        kinds = "a folder" if given.is_dir() else kinds
        raise UsageError(f"OUTPUT '{output}' is not of INPUT's kind; give {kinds}")
    if volume and series is not None:
        raise UsageError("--series is for DICOM; a NIfTI volume is one series")
    if given.is_dir() and output.resolve().is_relative_to(given.resolve()):
        raise UsageError(f"OUTPUT '{output}' stands in INPUT, which would be read; name another")


def _series(
    given: Path,
    output: Path,
    method: "Method",
    display: "Display",
    series: str | None,
    *,
    anyway: bool,
) -> list[dict[str, Any]]:
    from denoisebench.deploy.denoise import denoise_file, denoise_series
    from denoisebench.deploy.fitness import look, spread
    from denoisebench.deploy.series import choose, find_series, read

    all_series, aside = find_series(given, progress=display.reading)
    chosen, aside = choose(all_series, aside, series, anyway=anyway)
    _say_aside(display, aside)
    looks = [look(read(one.files[n]) for n in spread(len(one.files))) for one in chosen]
    _refuse_unfit(method, chosen, looks, display, anyway=anyway)
    total, done = sum(len(one.files) for one in chosen), 0

    def advance() -> None:
        nonlocal done
        done += 1
        display.working("denoising", done, total)

    if given.is_file():
        from denoisebench.deploy.derived import new_series_uid

        change = denoise_file(read(chosen[0].files[0]), method, output)
        made = [(new_series_uid(method, chosen[0].uid), change)]
    else:
        made = denoise_series(chosen, method, output, advance)
    return [_facts(change, seen, uid) for (uid, change), seen in zip(made, looks, strict=True)]


def _volume(
    given: Path,
    output: Path,
    method: "Method",
    display: "Display",
    *,
    anyway: bool,
) -> list[dict[str, Any]]:
    from denoisebench.deploy.fitness import look, objections, spread
    from denoisebench.deploy.volume import denoise_volume, planes, read_volume

    volume, wrong = read_volume(given)
    every = planes(volume)
    seen = look(every[number] for number in spread(len(every)))
    _refuse(method, [*wrong, *objections(method, seen)], display, anyway=anyway)
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        display.working("denoising", done, len(every))

    return [_facts(denoise_volume(volume, method, output, advance), seen)]


def _say_aside(display: "Display", aside: "list[SetAside]") -> None:
    for one in aside[:SHOWN]:
        display.say(f"  set aside: {one.path}: {one.reason}")
    if len(aside) > SHOWN:
        display.say(f"  set aside: {len(aside) - SHOWN} more")


def _refuse_unfit(
    method: "Method",
    chosen: "list[Series]",
    looks: "list[Look]",
    display: "Display",
    *,
    anyway: bool,
) -> None:
    """Refuse series that the run was not trained for, or say what is wrong with them."""
    from denoisebench.deploy.fitness import objections

    wrong = [
        f"{f'series of {len(one.files)} slices: ' if len(chosen) > 1 else ''}{reason}"
        for one, seen in zip(chosen, looks, strict=True)
        for reason in (*one.objections, *objections(method, seen))
    ]
    _refuse(method, wrong, display, anyway=anyway)


def _refuse(method: "Method", wrong: list[str], display: "Display", *, anyway: bool) -> None:
    if not wrong:
        return
    told = f"{method.name} was not trained for this: {'; '.join(wrong)}"
    if not anyway:
        raise UsageError(f"{told}; --anyway denoises it all the same")
    display.say(f"note: {told}")


def _facts(change: "Change", seen: "Look", uid: str | None = None) -> dict[str, Any]:
    facts: dict[str, Any] = {} if uid is None else {"series_uid": uid}
    return {
        **facts,
        "slices": change.slices,
        "resumed": change.resumed,
        "noise_hu": seen.noise_hu and round(seen.noise_hu, 2),
        "mean_change_hu": round(change.mean_hu, 4),
        "kept": round(change.kept / max(change.pixels, 1), 4),
    }


def _line(facts: dict[str, Any]) -> str:
    what = f"series {facts['series_uid']}" if "series_uid" in facts else "volume"
    noise = "no tissue" if facts["noise_hu"] is None else f"{facts['noise_hu']:.0f} HU"
    before = f" ({facts['resumed']} of them before)" if facts["resumed"] else ""
    return (
        f"{what}: {facts['slices']} slices{before}, noise {noise}, mean change "
        f"{facts['mean_change_hu']:+.2f} HU; {facts['kept']:.0%} of the pixels are as they came"
    )
