"""Two runs that can be blended, and the recipe of a network between them.

torch is not imported: what cannot be blended is told at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from denoisebench.errors import UsageError
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import Catalogue
from denoisebench.scoring.opened import MODEL, Opened
from denoisebench.scoring.result import EVALUATION_VERSION, Result
from denoisebench.training.recipe import Blend, Parent, Recipe

OF_THE_GAN = {"loss", "discriminator", "plugins"}
"""Fields in which a recipe differs from that of its twin."""


@dataclass(frozen=True)
class Pair:
    """Two networks of one generator, scored alike; see `paired`.

    Attributes:
        first: the end at w = 0, usually trained without a GAN.
        second: the end at w = 1.
        parents: what a blend says of both.
    """

    first: Opened
    second: Opened
    parents: tuple[Parent, Parent]

    @property
    def ends(self) -> tuple[Opened, Opened]:
        """Both, the first one first."""
        return self.first, self.second

    @property
    def recipes(self) -> tuple[Recipe, Recipe]:
        """Those of both; `paired` refuses a run without one."""
        assert self.first.recipe
        assert self.second.recipe
        return self.first.recipe, self.second.recipe

    @property
    def twins(self) -> bool:
        """Whether the first is the second's training without the GAN, as boards know it."""
        first, second = self.recipes
        return second.twin == first.hash

    @property
    def notes(self) -> list[str]:
        """What a user should know: how they are no twins, which plug-in has changed since."""
        first, second = self.recipes
        found = [opened.note for opened in self.ends if opened.note]
        if not self.twins:
            told = second.differences(first)
            told = [text for text in told if text.partition(" ")[0] not in OF_THE_GAN]
            apart = "; ".join(told) or f"loss {first.loss!r} → {second.loss!r}"
            found.append(f"no twins ({apart}): networks between them may do worse than both")
        return found

    def recipe(self, weight: float) -> Recipe:
        """Write the recipe of a blend.

        Args:
            weight: share of the second, within (0, 1).
        """
        first, second = self.recipes
        blend = Blend(weight=weight, twins=self.twins, parents=self.parents)
        changes = {
            "blend": blend,
            "plugins": {**first.plugins, **second.plugins},
            "preset": "",
            "twin": None,
        }
        return second.model_copy(update=changes)


def paired(first: Opened, second: Opened, catalogue: Catalogue) -> Pair:
    """Put two runs together.

    Args:
        first: the end at w = 0.
        second: the end at w = 1.
        catalogue: where metrics are looked up.
    Raises:
        UsageError: nothing lies between them: a baseline, a blend, one run twice, two generators,
            weights that are not there; or they were not measured alike, or not as this denoisebench
            measures; or the one with the GAN comes first.
    """
    names = [opened.folder.name for opened in (first, second)]
    for opened, name in zip((first, second), names, strict=True):
        if opened.recipe is None:
            raise UsageError(f"{name} is a baseline's run; a blend lies between two networks")
        if opened.recipe.blend:
            raise UsageError(f"{name} is a blend itself; give the runs that were trained")
    assert first.recipe
    assert second.recipe
    _refuse_other_networks((first.recipe, second.recipe), names, first.part.card.name)
    _refuse_other_keys((first.result, second.result), names)
    _refuse_other_rulers(first, catalogue)
    if first.recipe.discriminator and not second.recipe.discriminator:
        raise UsageError(
            f"w is the share of the run with the GAN, which is {names[0]}; "
            f"turn them round: denoisebench blend {names[1]} {names[0]}"
        )
    return Pair(first, second, (_parent(first), _parent(second)))


def _refuse_other_networks(
    recipes: tuple[Recipe, Recipe], names: Sequence[str], generator: str
) -> None:
    first, second = recipes
    if first.hash == second.hash:
        raise UsageError(f"{names[0]} and {names[1]} are one run; give two, as run --twin trains")
    if first.generator != second.generator:
        raise UsageError(
            f"{names[0]} is a {first.generator}, {names[1]} a {second.generator}; "
            "only networks of one generator with the same knobs can be blended"
        )
    source = f"generator {generator}"
    if first.plugins.get(source) != second.plugins.get(source):
        raise UsageError(
            f"{names[0]} and {names[1]} were trained with two sources of {source}; "
            "train one of them again"
        )


def _refuse_other_keys(results: tuple[Result, Result], names: Sequence[str]) -> None:
    """Refuse results that no board would hold together."""
    for what, one, other in zip(KEY, *map(_key, results), strict=True):
        if one != other:
            told = "" if len(f"{one}{other}") > 80 else f" ({one}, {other})"
            raise UsageError(
                f"{names[0]} and {names[1]} were not measured alike, they have another {what}"
                f"{told}; score both by the same"
            )


KEY = (
    "task",
    "version of the task",
    "content of the task",
    "data set",
    "split",
    "version of the evaluation",
    "metrics",
)


def _key(result: Result) -> tuple[object, ...]:
    return (
        result.task,
        result.task_version,
        result.task_digest,
        result.data_digest,
        result.split_digest,
        result.evaluation_version,
        {name: metric.version for name, metric in result.metrics.items()},
    )


def _refuse_other_rulers(opened: Opened, catalogue: Catalogue) -> None:
    """Refuse a run beside whose result a new one could not stand."""
    parts = [part for text in opened.task.metrics for part in resolve(text, "metric", catalogue)]
    here = (EVALUATION_VERSION, {part.text: part.card.version for part in parts})
    if here != _key(opened.result)[-2:]:
        raise UsageError(
            f"{opened.folder.name} was measured by other versions of evaluation or metrics than "
            "this denoisebench has; score both runs again"
        )


def _parent(opened: Opened) -> Parent:
    result, path = opened.result, opened.folder / MODEL
    if not path.is_file():
        raise UsageError(f"no {path}; without its weights a run cannot be blended")
    return Parent(
        method=result.method,
        recipe=result.recipe,
        family=result.family,
        weights=opened.weights_digest(),
    )
