"""What a sweep asks for: lists of what varies, expanded into plans of trainings."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from denoisebench import tomlfile
from denoisebench.errors import UsageError
from denoisebench.fleet import listed
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import Catalogue
from denoisebench.training.recipe import Plan, plan

MOST_RUNS = 10_000
BUDGETS = ("minutes", "steps", "epochs")


def _expressions(given: object) -> object:
    try:
        return listed.expressions(given) if isinstance(given, str) else given
    except UsageError as error:
        raise ValueError(str(error).splitlines()[0]) from None  # below it a caret, for a terminal


def _seeds(given: object) -> object:
    _refuse_truth(given)
    if isinstance(given, str):
        return listed.seeds(given)
    return (given,) if isinstance(given, int) else given


def _refuse_truth(given: object) -> None:
    """Raise ValueError for true and false, which Python takes for numbers."""
    if any(isinstance(one, bool) for one in (given if isinstance(given, list) else [given])):
        raise ValueError("true and false are no numbers")


def _number(given: object) -> object:
    _refuse_truth(given)
    return given


def _numbers(given: object) -> object:
    _refuse_truth(given)
    if isinstance(given, str):
        return given.split(",")
    return (given,) if isinstance(given, int | float) else given


def _names(given: object) -> object:
    return (given,) if isinstance(given, str) else given


Seed = Annotated[int, Field(ge=0, lt=2**63)]
Several = Field(default=None, min_length=1)
Expressions = Annotated[tuple[str, ...], BeforeValidator(_expressions)]
Seeds = Annotated[tuple[Seed, ...], BeforeValidator(_seeds)]
Wholes = Annotated[tuple[int, ...], BeforeValidator(_numbers)]
Numbers = Annotated[tuple[float, ...], BeforeValidator(_numbers)]
Whole = Annotated[int, BeforeValidator(_number)]
Number = Annotated[float, BeforeValidator(_number)]
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]


class Grid(BaseModel):
    """Lists whose combinations are trained; what is not said is the preset's.

    Attributes:
        gen, loss, disc: expressions; a discriminator goes with the losses that have a GAN term.
        seed: whole numbers, or a range `0..2`.
        twin: with each GAN, the same training without it.
        preset: where the defaults come from.
        minutes, steps, epochs: the budget of each run.
        batch, accumulate, patch, lr, gan_after, precision: see the options of `denoisebench run`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    gen: Expressions | None = Several
    loss: Expressions | None = Several
    disc: Expressions | None = Several
    seed: Seeds | None = Several
    twin: bool = False
    preset: str = "quick"
    minutes: Number | None = None
    steps: Whole | None = None
    epochs: Number | None = None
    batch: Wholes | None = Several
    accumulate: Whole | None = None
    patch: Wholes | None = Several
    lr: Numbers | None = Several
    gan_after: Number | None = None
    precision: str | None = None

    @property
    def size(self) -> int:
        """How many combinations there are, before equal ones are one."""
        lists = (self.gen, self.loss, self.disc, self.seed, self.batch, self.patch, self.lr)
        return math.prod(len(one) for one in lists if one)


class Sweep(Grid):
    """A sweep as its file says it; what stands above the tables `[[grid]]` holds for each of them.

    Attributes:
        data, task: as in `denoisebench run`.
        plugin: files with plug-ins; relative paths, of presets too, start at the sweep's file.
        baseline: expressions of baselines that are scored as well.
        track: names of trackers.
        grid: several grids; without any, the sweep's own lists are one.
    """

    data: str | None = None
    task: str | None = None
    plugin: Names = ()
    baseline: Expressions = ()
    track: Names = ()
    grid: tuple[Grid, ...] | None = Several

    @property
    def grids(self) -> tuple[Grid, ...]:
        """Each grid with what holds for all; none where nothing is to be trained."""
        own = {name: getattr(self, name) for name in self.model_fields_set & _AXES}
        if self.grid is None:
            if own.keys() == {"preset"}:
                raise UsageError(
                    "a preset alone says nothing to train; name a generator or a loss, such as "
                    'gen = "unet7"'
                )
            return (Grid(**own),) if own else ()
        return tuple(Grid(**_over(own, table)) for table in self.grid)


Lists = TypeVar("Lists", bound=Grid)
_AXES = Grid.model_fields.keys()


def _over(shared: Mapping[str, Any], table: Grid) -> dict[str, Any]:
    """Lay a table over what holds for all; a budget takes the place of another."""
    said = {name: getattr(table, name) for name in table.model_fields_set}
    hidden = BUDGETS if said.keys() & set(BUDGETS) else ()
    return {name: value for name, value in shared.items() if name not in hidden} | said


def read_sweep(path: Path) -> Sweep:
    """Read a sweep's TOML file.

    Raises:
        UsageError: it is not there, is not TOML, or holds what a sweep has not; names the field.
    """
    sweep = tomlfile.read(path, Sweep)
    plugins = tuple(str(path.parent / name) for name in sweep.plugin)
    grids = sweep.grid and tuple(_beside(path, grid) for grid in sweep.grid)
    own = _beside(path, sweep)
    return own.model_copy(update={"plugin": plugins, "grid": grids})


def _beside(path: Path, grid: Lists) -> Lists:
    """Let a preset's file stand beside the sweep's."""
    if not grid.preset.endswith(".toml"):
        return grid
    return grid.model_copy(update={"preset": str(path.parent / grid.preset)})


def expand(sweep: Sweep, catalogue: Catalogue) -> list[Plan]:
    """Plan each training of a sweep, so that methods can be compared early: seed after seed.

    A discriminator is left out of losses without a GAN term, so plans may be equal. A twin stands
    before the network that it is the twin of.

    Args:
        sweep: what is wanted; its baselines are looked up here as well.
        catalogue: where names are looked up; no data are read and no plug-in is imported.
    Raises:
        UsageError: an unknown name or knob, a value out of range; nothing to do, or too much.
    """
    for text in sweep.baseline:
        resolve(text, "baseline", catalogue)
    grids = sweep.grids
    if not grids and not sweep.baseline:
        raise UsageError(
            "nothing to sweep over; give --gen, --loss, --seed, --baseline, or a TOML file"
        )
    size = sum(grid.size for grid in grids)
    if size > MOST_RUNS:
        raise UsageError(f"the sweep has {size:,} runs; {MOST_RUNS:,} are accepted")
    rounds: dict[int, list[Plan]] = {}
    for grid in grids:
        for one in _combined(grid, catalogue):
            for place, seed in enumerate(grid.seed or (one.settings.seed,)):
                settings = one.settings.model_copy(update={"seed": seed})
                rounds.setdefault(place, []).append(replace(one, settings=settings))
    return [one for place in sorted(rounds) for one in rounds[place]]


def _combined(grid: Grid, catalogue: Catalogue) -> Iterator[Plan]:
    """Plan each combination of a grid but for its seeds."""
    _refuse_budgets(grid)
    gans = [_has_gan(loss, catalogue) for loss in grid.loss or ()]
    twins = 0
    lists = (grid.gen, grid.loss, grid.disc, grid.batch, grid.patch, grid.lr)
    for gen, loss, disc, batch, patch, rate in product(*(one or (None,) for one in lists)):
        # Where no loss has a GAN term, the discriminator is a mistake, and `plan` says so.
        aimless = any(gans) and loss is not None and not _has_gan(str(loss), catalogue)
        planned = plan(
            catalogue,
            preset=grid.preset,
            generator=_text(gen),
            discriminator=None if aimless else _text(disc),
            loss=_text(loss),
            batch=batch,
            accumulate=grid.accumulate,
            patch=patch,
            learning_rate=rate,
            gan_after=None if aimless else grid.gan_after,
            precision=grid.precision,
            **{name: getattr(grid, name) for name in BUDGETS},
        )
        if grid.twin and planned.twin:
            twins += 1
            yield planned.twin
        yield planned
    if grid.twin and not twins:
        raise UsageError("--twin needs a loss with a GAN term and another beside it, as cgan+l1")


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _has_gan(loss: str, catalogue: Catalogue) -> bool:
    return any(part.card.adversarial for part in resolve(loss, "loss", catalogue))


def _refuse_budgets(grid: Grid) -> None:
    given = [name for name in BUDGETS if getattr(grid, name) is not None]
    if len(given) > 1:
        raise UsageError(f"a grid has one budget, here are {' and '.join(given)}; leave one")
