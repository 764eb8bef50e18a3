"""The live board of a sweep: a line a run on a terminal, plain lines elsewhere."""

import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType

from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from denoisebench.board.render.plain import plain
from denoisebench.fleet.job import Job, News
from denoisebench.fleet.sweep import Standing, labels
from denoisebench.training.log import Record

PLAIN_SECONDS = 15.0  # between lines where there is no terminal
COLOURS = {"running": "cyan", "done": "green", "diverged": "red", "failed": "red", "waiting": "dim"}
ENDED = ("done", "diverged", "failed")
LONGEST_LABEL, SHORTEST_LABEL = 48, 16
NARROW = 96
"""Columns of a terminal below which bars are short."""


@dataclass
class Line:
    """What is known of a run: its last news, and the last line of its log."""

    job: Job
    label: str
    news: News
    record: Record | None
    psnr: float | None = None
    """Of the last validation, in dB."""
    changed: float = 0.0
    """When its state was another."""

    @property
    def seed(self) -> str:
        """Of the recipe; empty for a baseline."""
        return "" if self.job.recipe is None else str(self.job.recipe.seed)

    @property
    def progress(self) -> float:
        """Share of the budget that is spent, 0-1."""
        if self.news.state in ENDED:
            return 1.0
        return self.record.progress if self.record else 0.0


@dataclass(frozen=True)
class Column:
    """One of the cells that stand right of a run's name and state."""

    title: str
    width: int
    least: int
    """Columns that the terminal must have for it."""


COLUMNS = (
    Column("progress", 13, 0),
    Column("step", 7, 88),
    Column("images/s", 8, NARROW),
    Column("val dB", 6, 0),
    Column("losses", 26, 136),
    Column("where", 14, 116),
    Column("left", 8, 0),
)


class SweepBoard:
    """Hears the news of a sweep and shows how all runs stand, on stderr."""

    def __init__(
        self,
        jobs: Sequence[Job],
        standings: Mapping[str, Standing],
        *,
        console: Console | None = None,
    ) -> None:
        self.console = console or Console(stderr=True)
        self.lines: dict[str, Line] = {}
        told = labels(jobs)
        for job in jobs:
            before = standings[job.name]
            state = before.stage if before.stage in ("done", "diverged") else "waiting"
            news = News(job.name, state, reason=before.reason if state == "diverged" else None)
            label = plain(f"{job.method} ({told[job.name]})" if told[job.name] else job.method)
            psnr = before.last.validation_psnr if before.last else None
            self.lines[job.name] = Line(job, label, news, before.last, psnr)
        self._began = self._said = time.monotonic()
        self._live = Live(
            get_renderable=self.render,
            console=self.console,
            refresh_per_second=4,
            auto_refresh=self.console.is_terminal,
            transient=True,
        )

    def __enter__(self) -> "SweepBoard":
        counts = self.counts()
        over = counts["done"] + counts["diverged"]
        if over:
            self.say(f"{over} of {len(self.lines)} runs are over already, and skipped")
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with _unless_gone():
            self._live.stop()

    def tell(self, news: News) -> None:
        """Take in what is heard of a run."""
        line = self.lines[news.job]
        changed = news.state != line.news.state or news.reason != line.news.reason
        if news.record:
            line.record = news.record
            line.psnr = news.record.validation_psnr or line.psnr
        line.news = news
        if changed:
            line.changed = time.monotonic()
        if news.note:
            self.say(f"{self._named(line)}: {plain(news.note)}")
        if news.state in ("failed", "diverged") and changed:
            self.say(f"{self._named(line)}: {news.state}, {plain(news.reason or '')}")
        elif not self.console.is_terminal:
            self._tell_plainly(line, changed)

    def say(self, text: str) -> None:
        """Print a line, above the board where there is one."""
        with _unless_gone():
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def counts(self) -> Counter[str]:
        """How many runs are in each state."""
        return Counter(line.news.state for line in self.lines.values())

    def failures(self) -> list[str]:
        """Name the runs that failed or diverged, each with its reason."""
        return [
            f"{self._named(line)}: {line.news.state}, {plain(line.news.reason or '')}"
            for line in self.lines.values()
            if line.news.state in ("failed", "diverged")
        ]

    def conclude(self) -> None:
        """Say how it ended, and once more what went wrong."""
        for failure in self.failures():
            self.say(failure)
        self.say(self.totals())

    def totals(self) -> str:
        """Say in a line how far the sweep is."""
        counts = self.counts()
        told = [f"{counts[state]} {state}" for state in (*ENDED, "running", "waiting")
                if counts[state] or state == "done"]  # fmt: skip
        words = [f"{len(self.lines)} runs: {', '.join(told)}"]
        words.append(f"{clock(time.monotonic() - self._began)} so far")
        left = self._seconds_left()
        if left:
            words.append(f"about {clock(left)} left")
        return " · ".join(words)

    def render(self) -> RenderableType:
        """Draw all runs, or those that matter most where they are more than the screen's lines."""
        width, height = self.console.width, self.console.height
        shown, hidden = self._chosen(max(4, height - 5))
        columns = _columns(width)
        fixed = 2 + 4 + 2 + 8 + sum(2 + column.width for column in columns)
        wanted = max(cell_len(line.label) for line in self.lines.values())
        label = max(SHORTEST_LABEL, min(wanted, LONGEST_LABEL, width - fixed))
        tight = label < wanted
        drawn = [Text("  ".join(_header(columns, label)), "bold")]
        drawn += [self._drawn(line, columns, label, tight) for line in shown]
        if hidden:
            counts = Counter[str](line.news.state for line in hidden)
            rest = ", ".join(f"{counts[state]} {state}" for state in COLOURS if counts[state])
            drawn.append(Text(f"… and {rest}", "dim"))
        for text in drawn:
            text.truncate(width, overflow="ellipsis")
        return Group(*drawn, Text(), Text(self.totals()))

    def _chosen(self, room: int) -> tuple[list[Line], list[Line]]:
        """Choose what is shown: running first, then what went wrong, then what ended last."""
        lines = list(self.lines.values())
        if len(lines) <= room:
            return lines, []
        order = {"running": 0, "failed": 1, "diverged": 1, "done": 2, "waiting": 3}
        ranked = sorted(lines, key=lambda line: (order[line.news.state], -line.changed))
        return ranked[: room - 1], ranked[room - 1 :]

    def _drawn(self, line: Line, columns: Sequence[Column], label: int, tight: bool) -> Text:
        news, colour = line.news, COLOURS[line.news.state]
        name = re.sub(r" ?([+·,]) ?", r"\1", line.label) if tight else line.label
        cells = [Text(_fitted(name, label)), Text(f"{line.seed:>4}")]
        cells.append(Text(f"{news.state:<8}", colour))
        told = news.reason or news.doing
        if news.state in ("failed", "diverged") or (news.state in ("running", "waiting") and told):
            where = f" on {news.where}" if news.state == "running" and news.where else ""
            cells.append(Text(plain(f"{told}{where}"), colour))
        elif line.record:
            cells += [self._cell(line, line.record, column) for column in columns]
        return Text("  ").join(cells)

    def _cell(self, line: Line, record: Record, column: Column) -> Text:
        running, width = line.news.state == "running", column.width
        if column.title == "progress":
            bar = width - 5
            done = int(bar * line.progress)
            drawn = Text("━" * done, COLOURS[line.news.state])
            drawn.append("─" * (bar - done), "dim").append(f" {100 * line.progress:3.0f}%")
            return drawn
        if column.title == "losses":
            losses = record.losses.items()
            return Text(_fitted(" ".join(f"{name} {value:.3g}" for name, value in losses), width))
        if column.title == "where":  # its end tells two devices of one machine apart
            where = plain(line.news.where)
            return Text(f"{where if len(where) <= width else f'…{where[1 - width :]}':<{width}}")
        number = {
            "step": f"{record.step}",
            "images/s": f"{record.images_per_second:.1f}" if running else "",
            "val dB": f"{line.psnr:.2f}" if line.psnr is not None else "",
            "left": clock(_left(record)) if running else "",
        }[column.title]
        return Text(f"{number:>{width}}")

    def _seconds_left(self) -> float | None:
        """Estimate what is left from runs that have told their speed; None where none has."""
        known = {
            name: line.record.seconds / line.record.progress
            for name, line in self.lines.items()
            if line.record and line.record.progress
        }
        if not known:
            return None
        typical = sum(known.values()) / len(known)
        left = 0.0
        for name, line in self.lines.items():
            if line.job.recipe is None:
                continue
            minutes = line.job.recipe.minutes
            whole = 60 * minutes if minutes else known.get(name, typical)
            left += (1 - line.progress) * whole
        return left / max(1, self.counts()["running"])

    def _named(self, line: Line) -> str:
        return f"{line.label}, seed {line.seed}" if line.seed else line.label

    def _tell_plainly(self, line: Line, changed: bool) -> None:
        news = line.news
        due = time.monotonic() - self._said >= PLAIN_SECONDS
        if not changed and not due:
            return
        ended = sum(one.news.state in ENDED for one in self.lines.values())
        told = f"{ended} of {len(self.lines)}  {self._named(line)}: {news.state}"
        if news.where and news.state == "running":
            told += f" on {news.where}"
        if news.reason or news.doing:
            told += f", {plain(news.reason or news.doing)}"
        elif line.record and not (changed and news.state == "running"):
            record = line.record
            told += f", {100 * record.progress:.0f} %, step {record.step}"
            if record.validation_psnr is not None:
                told += f", validation {record.validation_psnr:.2f} dB"
        self.say(told)
        self._said = time.monotonic()


def clock(seconds: float) -> str:
    """Spell a time: `0:42`, `1:02:03`, `2 d 03 h`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 24:
        return f"{hours // 24} d {hours % 24:02d} h"
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _left(record: Record) -> float:
    return record.seconds * (1 / max(record.progress, 1e-9) - 1)


def _columns(width: int) -> list[Column]:
    """Choose the columns that a terminal has room for."""
    short = Column("progress", 10, 0)
    fitting = [column for column in COLUMNS if width >= column.least]
    return [short, *fitting[1:]] if width < NARROW else fitting


def _header(columns: Sequence[Column], label: int) -> list[str]:
    left = ("progress", "losses", "where")
    cells = [f"{'run':<{label}}", "seed", f"{'state':<8}"]
    return cells + [
        f"{one.title:<{one.width}}" if one.title in left else f"{one.title:>{one.width}}"
        for one in columns
    ]


def _fitted(text: str, width: int) -> str:
    """Cut or fill a text to a width."""
    if cell_len(text) > width:
        text = set_cell_size(text, width - 1) + "…"
    return set_cell_size(text, width)


@contextmanager
def _unless_gone() -> Iterator[None]:
    """A terminal that was closed must cost no run its checkpoint; rich leaves on a broken pipe."""
    with suppress(OSError, SystemExit):
        yield
