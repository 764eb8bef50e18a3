"""The page put together: boards, runs, and a comparison where there are pictures."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from denoisebench import __version__
from denoisebench.board import render
from denoisebench.board.blends import ways
from denoisebench.board.board import Board, Row
from denoisebench.board.page import tables
from denoisebench.board.page.figures.blends import blend_plots
from denoisebench.board.page.figures.plots import Plot, plots
from denoisebench.board.page.output import Output
from denoisebench.board.page.pictures import CLEAN, Album
from denoisebench.board.page.pixels import OFFSET_HU, STEP_HU
from denoisebench.board.page.run_page import run_facts
from denoisebench.board.render import frame
from denoisebench.board.render.frame import beside, seeds
from denoisebench.board.seeds import Entry
from denoisebench.plugins.find import Catalogue

HERE = Path(__file__).parent
PRESETS = (
    ("soft tissue", 400.0, 40.0),
    ("liver", 150.0, 30.0),
    ("lung", 1500.0, -600.0),
    ("bone", 1800.0, 400.0),
)
"""Windows of everyday reading: name, width and level in HU."""
INSIDE = 0.75  # a preset with less of its width in the task's window would show what nobody knows


@dataclass(frozen=True)
class Site:
    """What the page is made from.

    Attributes:
        entries: all runs; see `board.collect`.
        boards: of them.
        problems: what could not be read.
        catalogue: to say whether a run's command would repeat it here.
    """

    entries: Sequence[Entry]
    boards: Sequence[Board]
    problems: Sequence[str]
    catalogue: Catalogue
    slugs: Mapping[int, str] = field(init=False)

    def __post_init__(self) -> None:
        """Give each run the name of its file."""
        object.__setattr__(self, "slugs", _slugs([entry.folder for entry in self.entries]))

    def slug(self, entry: Entry) -> str:
        """Name a run in file names: small letters, digits and hyphens."""
        return self.slugs[next(i for i, e in enumerate(self.entries) if e is entry)]

    def entry(self, row: Row) -> Entry:
        """Return the run behind a row: that with the first seed where there are several."""
        return self.runs(row)[0]

    def runs(self, row: Row) -> list[Entry]:
        """Return the runs behind a row, as they were read: a row may call one partial."""
        wanted = [(one.folder, one.result.recipe) for one in row.members]
        return [e for e in self.entries if (e.folder, e.result.recipe) in wanted]

    def members(self, board: Board) -> list[tuple[str, Entry]]:
        """Return the runs of a board's rows, each with its slug."""
        found = [self.entry(row) for row in board.rows]
        return [(self.slug(entry), entry) for entry in found]

    def folder(self, board: Board) -> str:
        """Name a board in file names."""
        return f"board-{1 + next(i for i, b in enumerate(self.boards) if b is board)}"

    def home(self, board: Board) -> str:
        """Return the file of a board's page: the only board is the first page."""
        return "index.html" if len(self.boards) == 1 else f"{self.folder(board)}.html"


def write_site(site: Site, output: Output, albums: Mapping[str, Album], wanting: str) -> None:
    """Write all pages, their scripts and their style.

    Args:
        site: what is shown.
        output: where; open.
        albums: pictures by the board's folder; see `make_album`.
        wanting: what a board without pictures says of how to get them.
    """
    templates = _templates()

    def write(name: str, template: str, **facts: Any) -> None:
        root = "../" * name.count("/")
        found = templates.get_template(template).render(root=root, several=several, **facts)
        output.write(name, found)

    several = len(site.boards) > 1
    for path in sorted((HERE / "assets").iterdir()):
        if path.suffix in (".css", ".js"):
            output.write(f"assets/{path.name}", path.read_text(encoding="utf-8"))
    for board in site.boards:
        album = albums.get(site.folder(board))
        comparison = f"compare-{site.folder(board)}.html" if album else ""
        page = {"title": render.title(board), "home": site.home(board), "comparison": comparison}
        facts = _board_facts(site, board)
        write(site.home(board), "board.html", wanting=wanting, album=album,
              problems=site.problems, **facts, **page)  # fmt: skip
        if album:
            write(comparison, "compare.html", facts=_comparison_facts(album), album=album, **page)
    for entry in site.entries:
        slug, kind = site.slug(entry), kind_of(entry)
        place = _place(site, entry, albums)
        write(f"runs/{slug}.html", "run.html", **run_facts(entry, site.catalogue, kind), **place)
    if several:
        boards = [(site.home(b), render.title(b), _summary(b), b) for b in site.boards]
        write("index.html", "index.html", boards=boards, problems=site.problems)


def kind_of(entry: Entry) -> str:
    """Say what a run is: "network", "gan", "blend" or "baseline"."""
    if entry.result.blend:
        return "blend"
    if entry.result.kind == "baseline":
        return "baseline"
    if entry.result.twin or entry.result.health:
        return "gan"
    recipe = entry.recipe
    return "gan" if recipe and recipe.discriminator else "network"


def _board_facts(site: Site, board: Board) -> dict[str, Any]:
    def kind(row: Row) -> str:
        return kind_of(site.entry(row))

    def href(row: Row) -> str:
        return f"runs/{site.slug(site.entry(row))}.html"

    people = tables.People(kind, href)
    drawn: tuple[Plot, ...] = plots(board, kind, href) if board.metrics else ()
    return {
        "summary": _summary(board),
        "ranked_by": board.ranked_by,
        "scores": tables.scores(board, people),
        "differences": tables.differences(board, people),
        "beside": beside(board),
        "notes": render.notes(board),
        "plots": drawn,
        "blends": _blends(board, kind, href),
    }


def _blends(
    board: Board, kind: Callable[[Row], str], href: Callable[[Row], str]
) -> list[tuple[Plot | None, frame.Table]]:
    """Draw what lies between two networks, and tell it as a table; without a plot where none is."""
    tabled = [tables.between(board, way) for way in ways(board)]
    return [*zip(blend_plots(board, kind, href), tabled, strict=True)]


def _summary(board: Board) -> str:
    """Say in a sentence who leads, by how much is known."""
    ranked = [row for row in board.rows if row.rank]
    if not ranked:
        return "No row has scores."
    first = ranked[0]
    score = tables.metric_cell(first.result.metrics[board.ranked_by], interval=True)
    unit = first.result.metrics[board.ranked_by].unit
    lead = f"{first.name} leads: {board.ranked_by} {score.text} {unit} {score.interval}"
    tied = [row for row in ranked[1:] if row.ranks and row.ranks[0] == 1]
    if first.ranks is None or len(ranked) == 1:
        return f"{lead.strip()}."
    if not tied:
        return f"{lead.strip()}, ahead of all others beyond what chance explains."
    names = ", ".join(row.name for row in tied[:3]) + (", …" if len(tied) > 3 else "")
    return f"{lead.strip()}; these patients cannot tell it from {names}."


def _place(site: Site, entry: Entry, albums: Mapping[str, Album]) -> dict[str, Any]:
    """Say where a run stands: its board, its rank there, its twin, its pictures."""
    found = [(board, row) for board in site.boards for row in board.rows]
    # Every entry stands on a board: `boards` leaves none out.
    board, row = next(pair for pair in found if any(one is entry for one in site.runs(pair[1])))
    album, slug = albums.get(site.folder(board)), site.slug(entry)
    others = [one for one in site.runs(row) if one is not entry]
    pictured = album is not None and any(painter.key == slug for painter in album.painters)
    link = f"compare-{site.folder(board)}.html#a={slug}&b={CLEAN}"
    return {
        "home": site.home(board),
        "standing": _standing(board, row),
        "status": row.result.status,
        "reason": row.result.reason,
        "seeds": [(one.result.seeds[0], f"{site.slug(one)}.html") for one in others],
        "twin": _twin(site, board, row),
        "ends": _ends(site, board, entry),
        "comparison": link if pictured else "",
    }


def _standing(board: Board, row: Row) -> str:
    if row.rank is None:
        return ""
    first, last = row.ranks or (row.rank, row.rank)
    rank = f"Rank {first}" if first == last else f"Ranks {first} to {last}"
    score = tables.metric_cell(row.result.metrics[board.ranked_by], interval=True)
    unit = row.result.metrics[board.ranked_by].unit
    others = sum(other.rank is not None for other in board.rows)
    found = f"{rank} of {others} by {board.ranked_by}: {score.text} {unit} {score.interval}".strip()
    return f"{found}, over {told}" if (told := seeds(board, row)) else found


def _twin(site: Site, board: Board, row: Row) -> dict[str, str] | None:
    """Link a GAN's row to the same training without the GAN, with what lies between them."""
    twins = {one.result.twin for one in row.members if one.result.twin}
    for other in board.rows:
        if twins & {one.result.recipe for one in other.members}:
            cell = tables.difference_cell(row.versus.get("twin"), "dB")
            apart = f"{board.ranked_by} {cell.text} {cell.interval}".replace("\n", ", ")
            href = f"{site.slug(site.entry(other))}.html"
            known = "twin" in row.versus
            return {"href": href, "method": other.name, "apart": apart if known else ""}
    return None


def _ends(site: Site, board: Board, entry: Entry) -> list[dict[str, str]]:
    """Name the runs between which a blend lies, with links to those that stand on its board."""
    runs = {one.result.recipe: one for row in board.rows for one in site.runs(row)}
    parents = entry.result.blend.parents if entry.result.blend else ()
    return [
        {
            "method": parent.method,
            "href": f"{site.slug(runs[parent.recipe])}.html" if parent.recipe in runs else "",
        }
        for parent in parents
    ]


def _comparison_facts(album: Album) -> dict[str, Any]:
    """What the script of a comparison needs, as JSON."""
    low, high = album.window_hu
    task = {"name": "task's window", "width": high - low, "level": (low + high) / 2,
            "note": "", "usable": True}  # fmt: skip
    return {
        "folder": album.folder,
        "step": STEP_HU,
        "offset": OFFSET_HU,
        "sigma": album.sigma_hu,
        "window": [low, high],
        "presets": [task, *(_preset(album, *preset) for preset in PRESETS)],
        "slices": [{"key": one.key, "label": one.label} for one in album.slices],
        "painters": [
            {"key": p.key, "name": p.name, "psnr": list(p.psnr), "note": p.note}
            for p in album.painters
        ],
    }


def _preset(album: Album, name: str, width: float, level: float) -> dict[str, Any]:
    """Say of a preset how much of it the task's window holds."""
    low, high = album.window_hu
    bottom, top = level - width / 2, level + width / 2
    share = max(0.0, min(top, high) - max(bottom, low)) / width
    note = ""
    if share < 1:
        note = f"the task's window ends at {high if top > high else low:g} HU"
    return {"name": name, "width": width, "level": level, "note": note, "usable": share >= INSIDE}


def _slugs(names: Sequence[str]) -> dict[int, str]:
    """Turn names into file names: safe letters, each once."""
    found: dict[int, str] = {}
    for number, name in enumerate(names):
        safe = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "run"
        slug, copy = f"{safe}", 1
        while slug in found.values() or slug in RESERVED:
            copy += 1
            slug = f"{safe}-{copy}"
        found[number] = slug
    return found


RESERVED = {CLEAN, "noisy", "con", "nul", "prn", "aux"} | {f"com{n}" for n in range(1, 10)} | {
    f"lpt{n}" for n in range(1, 10)}  # fmt: skip
"""Pictures that are no run's, and names that a file may not have on Windows."""


def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(version=__version__, kinds=KINDS)
    return environment


KINDS: Mapping[str, str] = {
    "network": "network",
    "gan": "GAN",
    "blend": "blend",
    "baseline": "baseline",
}
