"""`denoisebench.leaderboard`: what was scored alike, ranked."""

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from denoisebench.api.run import Run
from denoisebench.errors import Unavailable, UsageError

if TYPE_CHECKING:
    from denoisebench.board.board import Board, Row
    from denoisebench.board.seeds import Entry


@dataclass(frozen=True, repr=False)
class Leaderboard:
    """Rows that were measured alike, best first.

    Attributes:
        board: as `denoisebench.board` makes it.
        problems: what was left out, and why.
    """

    board: "Board"
    problems: tuple[str, ...] = ()

    @property
    def rows(self) -> "tuple[Row, ...]":
        """Best first: `rank`, `ranks` (that the patients leave open), `result`, `versus`.

        `row.result.metrics["psnr"]` has `mean`, `lo` and `hi`; `row.versus` says how the row
        differs, patient by patient, from the references, the best row, its twin, and the row that
        was asked about by `against`.
        """
        return self.board.rows

    @property
    def ranked_by(self) -> str:
        """The metric whose mean decides the order."""
        return self.board.ranked_by

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know: intervals, licences, tuning, missing values."""
        from denoisebench.board.render import notes

        return tuple(notes(self.board))

    def to_markdown(self) -> str:
        """Write it as Markdown tables."""
        from denoisebench.board.render import markdown

        return markdown([self.board])

    def to_csv(self) -> str:
        """Write it as CSV, a column a number, unrounded."""
        from denoisebench.board.render import as_csv

        return as_csv([self.board])

    def to_json(self) -> str:
        """Write it as JSON: {"rows": [...], "problems": [...]}."""
        from denoisebench.board.render import as_json

        return as_json([self.board], self.problems)

    def to_html(self) -> str:
        """Write it as a page of HTML."""
        from denoisebench.board.render.html import html

        return html([self.board])

    def to_latex(self) -> str:
        """Write it as LaTeX tables."""
        from denoisebench.board.render.latex import latex

        return latex([self.board])

    def to_pandas(self) -> Any:
        """Give a pandas DataFrame of the columns of `to_csv`.

        Raises:
            Unavailable: pandas is not installed; denoisebench does not need it.
        """
        try:
            import pandas  # type: ignore[import-untyped,import-not-found,unused-ignore]
        except ImportError:
            raise Unavailable("pandas is not installed; pip install pandas") from None
        return pandas.read_csv(io.StringIO(self.to_csv()))

    def __len__(self) -> int:
        return len(self.board.rows)

    def __repr__(self) -> str:
        from rich.console import Console

        from denoisebench.board.render.terminal import WIDE, table

        text = io.StringIO()
        Console(file=text, width=WIDE, force_jupyter=False).print(
            table([self.board], self.problems)
        )
        return "\n".join(line.rstrip() for line in text.getvalue().splitlines())

    def _repr_markdown_(self) -> str:
        """Scores and notes; printed, it says costs and what else is known, too."""
        from denoisebench.board.render.commonmark import section
        from denoisebench.board.render.frame import frame

        shown = frame(self.board)
        return section(replace(shown, tables=shown.tables[:1])) + "\n"


def leaderboard(
    *runs: str | Path | Run,
    task: str | None = None,
    data: str | None = None,
    against: str | Path | Run | None = None,
) -> Leaderboard:
    """Rank runs that were measured alike.

    Args:
        runs: folders, with all run folders below them, and runs; the folder `runs` where none.
        task: only results under this task.
        data: only results on this data set, as boards name it.
        against: one of the runs, or its folder: rows are compared with that of this run, too.
    Returns:
        The board; its notes say which rows of the same task and data are not comparable.
    Raises:
        UsageError: there is no result, or there are several tasks or data sets; `against` has no
            rank.
    """
    from denoisebench.board.board import boards, collect
    from denoisebench.board.chosen import chosen, existing, told
    from denoisebench.scoring.result import read_result

    places = [run.folder if isinstance(run, Run) else Path(run) for run in runs or ("runs",)]
    entries: dict[Path, Entry] = {}
    problems: dict[str, None] = {}
    for place in places:
        found, wrong = collect(existing(place).resolve())
        entries.update({entry.path: entry for entry in found if entry.path})
        problems.update(dict.fromkeys(wrong))
    shown = chosen([*entries.values()], task, data, ", ".join(map(str, places)))
    if against is not None:
        folder = against.folder if isinstance(against, Run) else existing(Path(against))
        against = read_result(folder / "result.json").recipe
    found_boards = boards(shown, against)
    if len({(board.key.task, board.data) for board in found_boards}) > 1:
        raise UsageError(
            f"there are several boards: {told(shown)}; choose one with task= and data="
        )
    return Leaderboard(found_boards[0], tuple(problems))
