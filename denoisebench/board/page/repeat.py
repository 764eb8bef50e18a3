"""The command that repeats a run."""

import shlex

from denoisebench.data.named import PHANTOM
from denoisebench.errors import UsageError
from denoisebench.plugins.find import Catalogue
from denoisebench.scoring.result import Result
from denoisebench.scoring.submission.private import discreet
from denoisebench.training.recipe import Optimisation, Recipe, plan, preset_names

HASH_SHOWN = 8
ASKED = {"steps", "minutes", "batch", "accumulate", "patch", "learning_rate", "gan_after", "seed",
         "precision"}  # fmt: skip
"""Fields of a recipe that the command says."""
FIRST_PRESET = "quick"  # what `denoisebench run` starts from unless it is told


def command(result: Result, recipe: Recipe | None) -> str:
    """Write what to type; DIR stands for a folder, whose name is nobody's business."""
    data = result.data if PHANTOM.fullmatch(result.data) else "DIR"
    words = ["denoisebench", "run"]
    if result.kind == "module":
        return f"denoisebench.evaluate(MODULE, task={result.task!r}, data={data!r})  # in Python"
    if recipe is None:
        words += ["--baseline", result.method, "--data", data, "--task", result.task]
        return shlex.join(words)
    if recipe.blend:
        ends = [parent.recipe[:HASH_SHOWN] for parent in recipe.blend.parents]
        words = ["denoisebench", "blend", *ends, "--weights", f"{recipe.blend.weight:g}"]
        words += ["--data", data]
        return shlex.join(words)
    words += ["--gen", recipe.generator, "--loss", recipe.loss]
    words += ["--disc", recipe.discriminator] if recipe.discriminator else []
    words += ["--data", data, "--task", recipe.task]
    words += ["--preset", recipe.preset] if recipe.preset not in ("", FIRST_PRESET) else []
    words += (
        ["--steps", str(recipe.steps)] if recipe.steps else ["--minutes", f"{recipe.minutes!r}"]
    )
    words += ["--batch", str(recipe.batch), "--patch", str(recipe.patch)]
    words += ["--lr", f"{recipe.learning_rate!r}", "--seed", str(recipe.seed)]
    words += ["--accumulate", str(recipe.accumulate)] if recipe.accumulate else []
    words += ["--gan-after", f"{recipe.gan_after!r}"] if recipe.gan_after else []
    words += ["--precision", recipe.precision] if recipe.precision else []
    return shlex.join(words)


def caveat(recipe: Recipe | None, catalogue: Catalogue) -> str | None:
    """Say in what the command's training would differ from a recipe; None where it is the same."""
    if recipe is None:
        return None
    if recipe.blend:
        return "it takes both runs, with the very weights that this one names"
    if recipe.preset not in preset_names():
        return f"the run began from the preset {recipe.preset!r}, which does not come along"
    try:
        planned = plan(
            catalogue,
            preset=recipe.preset,
            generator=recipe.generator,
            discriminator=recipe.discriminator,
            loss=recipe.loss,
            **recipe.model_dump(include=ASKED),
        )
    except UsageError as error:
        return discreet(str(error))
    wanted = recipe.model_dump(include=set(Optimisation.model_fields))
    given = planned.settings.model_dump()
    apart = [name for name in wanted if wanted[name] != given[name]]
    parts = [planned.generator, *planned.losses]
    parts += [planned.discriminator] if planned.discriminator else []
    sources = {f"{part.card.kind} {part.card.name}": part.card.digest for part in parts}
    apart += [name for name in recipe.plugins if sources.get(name) != recipe.plugins[name]]
    return f"here it would differ in: {', '.join(apart)}" if apart else None
