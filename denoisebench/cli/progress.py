"""What a person sees while a run goes on: bars on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    import torch

    from denoisebench.data.dataset import DataSet
    from denoisebench.training.log import Record
    from denoisebench.training.recipe import Recipe

PLAIN_SECONDS = 15.0  # between lines where there is no terminal
SHOWN = 10  # files set aside that are named before a run


class Display:
    """Progress on stderr, so that stdout holds nothing but the answer."""

    def __init__(self, *, silent: bool = False) -> None:
        self.console = Console(stderr=True, quiet=silent)
        self.live = self.console.is_terminal and not silent
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[facts]}"),
            console=self.console,
            disable=not self.live,
        )
        self._tasks: dict[str, TaskID] = {}
        self._said = time.monotonic()

    def __enter__(self) -> "Display":
        self.bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with _unless_gone():
            self.bars.stop()

    def say(self, text: str) -> None:
        """Print a line."""
        with _unless_gone():
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def reading(self, done: int, total: int) -> None:
        """Show how much of a data set is read."""
        self._advance("reading slices", done, total)

    def waiting(self, owner: str) -> None:
        """Say that another process prepares the same data."""
        self.say(f"waiting for {owner}, which prepares the same data")

    def verifying(self, done: int, total: int) -> None:
        """Show how many slices are held against their digests."""
        self._advance("verifying", done, total)

    def working(self, what: str, done: int, total: int) -> None:
        """Show how much of something is done: "scoring bm3d", "tuning nlm"."""
        self._advance(what, done, total)

    def downloading(self, done: int, total: int) -> None:
        """Show how many bytes have come."""
        self._advance("downloading", done, total)

    def data(self, dataset: "DataSet") -> None:
        """Say what was read, what was set aside, and how it is split."""
        counts = ", ".join(
            f"{split} {len(dataset.patients(split))} ({len(getattr(dataset, split))} slices)"
            for split in ("train", "val", "test")
        )
        self.say(f"{dataset.name}: patients {counts}")
        for note in dataset.notes:
            self.say(f"  note: {note}")
        for aside in dataset.set_aside[:SHOWN]:
            self.say(f"  set aside: {aside.path}: {aside.reason}")
        if len(dataset.set_aside) > SHOWN:
            more = len(dataset.set_aside) - SHOWN
            self.say(f"  set aside: {more} more; denoisebench data prepare DIR says all reasons")

    def training(self, recipe: "Recipe", folder: Path, device: "torch.device") -> None:
        """Say what is trained, where, and for how long."""
        budget = f"{recipe.steps} steps" if recipe.steps else f"{recipe.minutes:g} minutes"
        crop = f"{recipe.batch} crops of {recipe.patch}²"
        self.say(f"training {recipe.method} on {device}: {budget}, {crop} a step → {folder}")

    def report(self, record: "Record") -> None:
        """Show a line of the training log."""
        terms = "  ".join(f"{name} {value:.4g}" for name, value in record.losses.items())
        facts = f"step {record.step}  {terms}  {record.images_per_second:.1f} images/s"
        if record.validation_psnr is not None:
            facts += f"  validation {record.validation_psnr:.2f} dB"
        if record.health:
            sides = (record.health[name] for name in ("real_accuracy", "fake_accuracy"))
            facts += "  critic right {:.0%} of real, {:.0%} of fake".format(*sides)
            if record.health["collapsed"]:
                facts += f"  collapsed: {record.health['collapsed']}"
        if self.live:
            self._advance("training", record.progress, 1.0, facts)
            if record.validation_psnr is not None:
                self.say(facts)
            return
        due = time.monotonic() - self._said >= PLAIN_SECONDS
        if due or record.validation_psnr is not None or record.progress >= 1:
            left = record.seconds * (1 / max(record.progress, 1e-9) - 1)
            self.say(f"{100 * record.progress:3.0f} %  {facts}  {left / 60:.1f} min left")
            self._said = time.monotonic()

    def _advance(self, what: str, done: float, total: float, facts: str = "") -> None:
        if self.live:
            if what not in self._tasks:
                self._tasks[what] = self.bars.add_task(escape(what), total=total, facts="")
            with _unless_gone():
                self.bars.update(
                    self._tasks[what], completed=done, total=total, facts=escape(facts)
                )
        elif time.monotonic() - self._said >= PLAIN_SECONDS:
            self.say(f"{what}: {done} of {total}")
            self._said = time.monotonic()


@contextmanager
def _unless_gone() -> Iterator[None]:
    """A terminal that was closed must cost no run its checkpoint; rich leaves on a broken pipe."""
    with suppress(OSError, SystemExit):
        yield
