"""Boards in a terminal."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import (
    Console,
    ConsoleOptions,
    Group,
    JustifyMethod,
    RenderableType,
    RenderResult,
)
from rich.measure import Measurement
from rich.table import Table as Grid
from rich.text import Text

from denoisebench.board.board import Board
from denoisebench.board.render.frame import WORDS, Table, frame
from denoisebench.board.render.plain import plain

WIDE = 200
"""Columns where no terminal says how many there are."""

WIDEST = 48
"""Characters of one column."""


def table(boards: Sequence[Board], problems: Sequence[str] = ()) -> RenderableType:
    """Render boards for the terminal, with the notes that belong to them."""
    parts: list[RenderableType] = []
    for board in boards:
        shown = frame(board)
        parts.append(Text(shown.title, style="bold"))
        parts += [_Fitted(each) for each in shown.tables]
        parts += [Text(), *(Text(note, style="dim") for note in shown.notes), Text()]
    parts += [Text(plain(f"left out: {problem}"), style="yellow") for problem in problems]
    return Group(*parts[:-1] if parts and not problems else parts)


def print_tables(boards: Sequence[Board], problems: Sequence[str] = ()) -> None:
    """Print boards to stdout; where that is no terminal, as wide as they need to be."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDE)
    console.print(table(boards, problems))


@dataclass(frozen=True)
class _Fitted:
    """A table that goes on below where a screen is too narrow for all its columns."""

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(self.table.title and f"\n{self.table.title}")
        columns = list(range(len(self.table.header)))
        lead = [place for place in columns if self.table.header[place] in ("#", "method")]
        rest = [place for place in columns if place not in lead]
        yield from self._grids(console, options, lead, rest)

    def _grids(
        self, console: Console, options: ConsoleOptions, lead: list[int], rest: list[int]
    ) -> Iterator[RenderableType]:
        """Grids of the leading columns with as many others as fit, at least one."""
        while rest:
            count = len(rest)
            while count > 1 and self._width(console, options, lead + rest[:count]) > 0:
                count -= 1
            yield self._grid(lead + rest[:count])
            rest = rest[count:]
            if rest:
                yield Text()

    def _width(self, console: Console, options: ConsoleOptions, places: list[int]) -> int:
        """Characters by which a grid is wider than the screen."""
        unbounded = options.update(max_width=10_000)
        wanted = Measurement.get(console, unbounded, self._grid(places)).maximum
        return wanted - options.max_width

    def _grid(self, places: Sequence[int]) -> Grid:
        grid = Grid(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
        for place in places:
            name = self.table.header[place]
            cells = [*name.split(), *(row[place] for row in self.table.rows)]
            width = min(max(map(cell_len, cells)), WIDEST)  # what is longer is broken into lines
            side: JustifyMethod = "left" if name in WORDS else "right"
            grid.add_column(Text(name), justify=side, width=width, overflow="fold")
        for number, row in enumerate(self.table.rows):
            style = "dim" if number in self.table.faint else ""
            grid.add_row(*(Text(row[place]) for place in places), style=style)
        return grid
