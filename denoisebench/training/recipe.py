"""What decides a network's weights: a preset with the user's choices on top, fully resolved."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from denoisebench import atomic, tomlfile
from denoisebench.errors import UsageError
from denoisebench.home import registry_folder
from denoisebench.plugins.expression import Part, canonical, resolve
from denoisebench.plugins.find import Catalogue
from denoisebench.task import Task

if TYPE_CHECKING:
    from denoisebench.data.dataset import DataSet

Schedule = Literal["constant", "cosine"]
Precision = Literal["float32", "bfloat16"]


class Optimisation(BaseModel):
    """How the weights are moved, whatever they are.

    Attributes:
        steps, minutes, epochs: the budget; exactly one of them is set.
        batch: crops a step.
        patch: side of a crop in pixels.
        learning_rate: Adam's, at the top of the schedule, for both networks.
        beta1, beta2: Adam's.
        schedule: what the learning rate does after the warm-up, over the budget.
        warmup: share of the budget during which the learning rate rises from 0.
        ema: decay of the averaged generator, which is what gets scored; 0 scores the last weights.
        seed: of weights, crops and training noise.
        accumulate: parts of a batch that are worked on one after another, for a batch that does not
            fit into memory; None for one.
        gan_after: share of the budget during which the generator learns without the GAN terms, and
            the critic not at all, as in ESRGAN (arXiv:1809.00219, section 4.1); None for 0.
        precision: in which networks multiply while they learn; weights, losses and Adam stay in
            float32. None for the device's own: bfloat16 on a GPU, float32 on a CPU.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    steps: int | None = Field(default=None, ge=1)
    minutes: float | None = Field(default=None, gt=0)
    epochs: float | None = Field(default=None, gt=0)
    batch: int = Field(ge=1)
    patch: int = Field(ge=8)
    learning_rate: float = Field(gt=0)
    beta1: float = Field(default=0.5, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    schedule: Schedule = "cosine"
    warmup: float = Field(default=0.0, ge=0, lt=1)
    ema: float = Field(default=0.999, ge=0, lt=1)
    seed: int = Field(default=0, ge=0, lt=2**63)
    accumulate: int | None = Field(default=None, ge=2)
    gan_after: float | None = Field(default=None, gt=0, lt=1)
    precision: Precision | None = None

    @field_validator("accumulate", "gan_after", mode="before")
    @classmethod
    def _nothing_asked(cls, value: object, field: ValidationInfo) -> object:
        """A batch in one part, or a GAN from the start, is the recipe that does not speak of it."""
        return None if value == {"accumulate": 1, "gan_after": 0}[str(field.field_name)] else value

    @model_validator(mode="after")
    def _one_budget(self) -> "Optimisation":
        if sum(value is not None for value in (self.steps, self.minutes, self.epochs)) != 1:
            raise ValueError("give exactly one of steps, minutes, epochs")
        if self.batch % (self.accumulate or 1):
            raise ValueError(
                f"a batch of {self.batch} has no {self.accumulate} equal parts; "
                "choose another batch or accumulate"
            )
        return self


class Preset(Optimisation):
    """A named starting point in `registry/presets/`.

    Attributes:
        knobs: plug-in name → knobs that an expression has unless it sets them itself.
        adjust: generator name → fields of the preset that suit it better.
    """

    summary: str
    generator: str
    discriminator: str
    loss: str
    knobs: dict[str, dict[str, Any]] = Field(default_factory=dict)
    adjust: dict[str, dict[str, Any]] = Field(default_factory=dict)


class Parent(BaseModel):
    """A run whose weights went into a blend.

    Attributes:
        method: what the board calls it.
        recipe, family: as in its result.
        weights: SHA-256 of its model.safetensors, in hex.
    """

    model_config = ConfigDict(frozen=True, extra="allow")  # a result keeps a later version's fields

    method: str
    recipe: str
    family: str | None = None
    weights: str


class Blend(BaseModel):
    """A network between two others: (1 - weight) · first + weight · second, number by number.

    Attributes:
        weight: share of the second parent.
        twins: whether the first is the second's training without the GAN.
        parents: first and second.
    """

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    weight: float = Field(ge=0, le=1)
    twins: bool
    parents: tuple[Parent, Parent]


class Recipe(Optimisation):
    """A training, fully resolved: expressions canonical, budget in steps or minutes.

    Of a blend, which was trained by nothing of its own, it is the second parent's, with `blend`.

    Attributes:
        generator, discriminator, loss: canonical expressions; no discriminator without a GAN term.
        task, task_version, data, data_digest, split_digest: what it is trained on.
        task_digest: see `Task.digest`.
        plugins: `kind name` → SHA-256 of the plug-in's source, so that an edited plug-in is
            another recipe.
        preset: where it started; not part of the hash.
        twin: hash of the same training without the GAN, for one that has it; not part of the hash.
        blend: between which networks it lies, for one that was not trained.
    """

    generator: str
    discriminator: str | None = None
    loss: str
    task: str
    task_version: int
    task_digest: str | None = None
    data: str
    data_digest: str
    split_digest: str
    plugins: dict[str, str]
    preset: str = ""
    twin: str | None = None
    blend: Blend | None = None

    @property
    def hash(self) -> str:
        """SHA-256 over all that decides the weights, in hex."""
        return _hash_of(self._deciding())

    @property
    def family(self) -> str:
        """The hash but for the seed: recipes that share it are repeats of each other."""
        values = self._deciding("seed")
        if self.blend:  # its parents' families, for their hashes hold their seeds
            families = [parent.family for parent in self.blend.parents]
            values["blend"] = [self.blend.weight, self.blend.twins, *families]
        return _hash_of(values)

    def _deciding(self, *left_out: str) -> dict[str, Any]:
        return self.model_dump(exclude={"preset", "twin", *left_out}, exclude_none=True)

    @property
    def method(self) -> str:
        """What the board calls it: `unet7 · cgan + 100*l1`; of a blend both ends, and where."""
        if self.blend is None:
            return f"{self.generator} · {self.loss}"
        one, other = (p.method.removeprefix(f"{self.generator} · ") for p in self.blend.parents)
        return f"{self.generator} · {one} to {other}, w = {self.blend.weight:g}"

    def differences(self, other: "Recipe") -> list[str]:
        """Name the fields in which two recipes differ, with both values."""
        unhashed = {"preset", "twin"}
        mine, theirs = self.model_dump(exclude=unhashed), other.model_dump(exclude=unhashed)
        keys = [key for key in mine if mine[key] != theirs[key]]
        return [f"{key} {theirs[key]!r} → {mine[key]!r}" for key in keys]

    def write(self, path: Path) -> None:
        """Write it as TOML."""
        atomic.write_text(path, tomli_w.dumps(self.model_dump(exclude_none=True)))

    @classmethod
    def read(cls, path: Path) -> "Recipe":
        """Read it back; UsageError where the file is not a recipe."""
        return tomlfile.read(path, cls)


def _hash_of(values: Mapping[str, Any]) -> str:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


VARYING = (
    "discriminator",
    "gan_after",
    "steps",
    "minutes",
    "batch",
    "accumulate",
    "patch",
    "learning_rate",
    "beta1",
    "schedule",
    "warmup",
    "ema",
    "precision",
)
"""Fields in which recipes of one method may differ, beside the seed and the source of plug-ins."""


def told_apart(recipes: Sequence[Recipe | None]) -> list[str]:
    """Say of each of several recipes in what it differs from those of the same method.

    Returns:
        Each as `patch3, learning_rate 0.001`; empty where the method tells all, and for None.
    """
    alike: dict[str, list[Recipe]] = {}
    for one in recipes:
        if one:
            alike.setdefault(one.method, []).append(one)
    return [", ".join(_apart(one, alike[one.method])) if one else "" for one in recipes]


def _apart(recipe: Recipe, others: Sequence[Recipe]) -> Iterator[str]:
    for field in VARYING:
        mine = getattr(recipe, field)
        if mine is not None and len({getattr(one, field) for one in others}) > 1:
            shown = mine if isinstance(mine, str) else f"{mine:g}"
            yield shown if field in ("discriminator", "precision") else f"{field} {shown}"
    for name, digest in recipe.plugins.items():
        if any(one.plugins.get(name, digest) != digest for one in others):
            yield f"{name} {digest[:8]}"


def preset_names() -> tuple[str, ...]:
    """Return the names of the presets that come with denoisebench."""
    return tuple(sorted(path.stem for path in (registry_folder() / "presets").glob("*.toml")))


def load_preset(name: str) -> Preset:
    """Load a preset by name, or from a TOML file by its path."""
    if name.endswith(".toml"):
        return tomlfile.read(Path(name), Preset)
    if name not in preset_names():
        known = ", ".join(preset_names())
        raise UsageError(f"no preset named {name!r}; presets: {known}, or a .toml file")
    return tomlfile.read(registry_folder() / "presets" / f"{name}.toml", Preset)


@dataclass(frozen=True)
class Plan:
    """A preset with the user's choices on top, not yet tied to a data set."""

    generator: Part
    discriminator: Part | None
    losses: tuple[Part, ...]
    settings: Optimisation
    preset: str

    @property
    def twin(self) -> "Plan | None":
        """The same without the GAN: its terms and the critic left out, all else as it is.

        A term that is left alone weighs 1, since Adam's steps do not depend on it. None where there
        is no GAN, or nothing beside it.
        """
        left = tuple(p for p in self.losses if not (p.card.adversarial or p.card.penalty))
        if not left or len(left) == len(self.losses):
            return None
        if len(left) == 1:
            left = (replace(left[0], weight=1.0),)
        settings = self.settings.model_copy(update={"gan_after": None})
        return replace(self, discriminator=None, losses=left, settings=settings)

    def recipe(self, task: Task, dataset: "DataSet") -> Recipe:
        """Tie it to what it is trained on; epochs become steps."""
        parts = [self.generator, *self.losses]
        parts += [self.discriminator] if self.discriminator else []
        settings = self.settings.model_dump()
        if self.settings.epochs is not None:
            # An epoch draws as many crops as there are slices.
            crops = self.settings.epochs * len(dataset.train)
            settings |= {"epochs": None, "steps": max(1, math.ceil(crops / self.settings.batch))}
        return Recipe(
            **settings,
            generator=canonical([self.generator]),
            discriminator=canonical([self.discriminator]) if self.discriminator else None,
            loss=canonical(self.losses),
            task=task.name,
            task_version=task.version,
            task_digest=task.digest,
            data=dataset.name,
            data_digest=dataset.digest,
            split_digest=dataset.split_digest,
            plugins={f"{part.card.kind} {part.card.name}": part.card.digest for part in parts},
            preset=self.preset,
            twin=self.twin.recipe(task, dataset).hash if self.twin else None,
        )


def plan(
    catalogue: Catalogue,
    *,
    preset: str = "quick",
    generator: str | None = None,
    discriminator: str | None = None,
    loss: str | None = None,
    **choices: Any,
) -> Plan:
    """Resolve a preset and the user's choices; reads no data and imports no plug-in.

    Args:
        catalogue: where the plug-ins are looked up.
        preset: name or TOML file.
        generator, discriminator, loss: expressions; the preset's where None.
        **choices: fields of `Optimisation`; None means not chosen. A budget replaces the preset's.
    Raises:
        UsageError: an unknown name or knob, a value out of range, a crop that does not fit.
    """
    base = load_preset(preset)
    (generating,) = resolve(generator or base.generator, "generator", catalogue, base.knobs)
    losses = tuple(resolve(loss or base.loss, "loss", catalogue, base.knobs))
    critic: Part | None = None
    if any(part.card.adversarial for part in losses):
        text = discriminator or base.discriminator
        (critic,) = resolve(text, "discriminator", catalogue, base.knobs)
    elif discriminator:
        raise UsageError(
            f"the discriminator {discriminator!r} has nothing to do: {canonical(losses)!r} has no "
            "GAN term; add one such as cgan to --loss, or leave out --disc"
        )
    chosen = {key: value for key, value in choices.items() if value is not None}
    settings = _settings(base, generating, chosen)
    if critic is None and settings.gan_after is not None:
        if "gan_after" in chosen:
            raise UsageError(
                f"nothing comes after: {canonical(losses)!r} has no GAN term; add one such as cgan "
                "to --loss, or leave out --gan-after"
            )
        settings = settings.model_copy(update={"gan_after": None})
    return Plan(generating, critic, losses, settings, Path(preset).stem)


def _settings(base: Preset, generator: Part, chosen: Mapping[str, Any]) -> Optimisation:
    """Lay preset, its adjustment to the generator and the user's choices over each other."""
    values = base.model_dump(include=set(Optimisation.model_fields))
    for layer in (base.adjust.get(generator.card.name, {}), chosen):
        if layer.keys() & {"steps", "minutes", "epochs"}:
            values.update(steps=None, minutes=None, epochs=None)
        values.update(layer)
    settings = tomlfile.validate(values, Optimisation, "recipe")
    multiple = int(str(generator.card.facts.get("multiple", 1)))
    if settings.patch % multiple == 0:
        return settings
    fitting = multiple * math.ceil(settings.patch / multiple)
    if "patch" in chosen:
        raise UsageError(
            f"{generator.card.name} needs crops with sides divisible by {multiple}, got "
            f"{settings.patch}; use --patch {fitting} (whole slices are padded when scored)"
        )
    return settings.model_copy(update={"patch": fitting})
