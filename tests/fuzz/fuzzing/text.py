"""Texts that users write: expressions, task, preset and recipe files, manifests."""

import os
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from fuzzing.mutation import TOML_ONLY, changed_values, mutated
from fuzzing.target import Target, accepted, by_name, named, split

REGISTRY = Path(__file__).parents[3] / "registry"
EXPRESSIONS = (
    ("loss", "cgan + 100*l1"), ("loss", "cgan + 100*l1 + 10*ssim(window=7, sigma=1.5)"),
    ("loss", "hinge + 5*r1 + huber"), ("loss", "1e-3 * mse"), ("metric", "psnr"),
    ("metric", "ssim"), ("metric", "hu_bias"), ("generator", "unet7(norm='batch')"),
    ("generator", "dncnn(depth=17, width=64)"), ("discriminator", "patch3"),
    ("baseline", "bm3d(profile='high')"), ("baseline", "nlm"),
)  # fmt: skip
WORDS = (
    b" + ", b"*", b"(", b")", b"=", b"'", b"((((", b"1e999", b"0x", b"1_0", b"None", b"True", b",",
    b"cgan", b"l1", b"psnr", b"width=", b"-", b"--1", b"lambda:0", b"#", b"\\", b"\n", b"\t", b"1j",
    b"f'{x}'", b"\xef\xbd\x8c1", b"9" * 5000, b"=" * 30, b"\xff", b"\0", b"()", b"...", b"[1,",
    b":=", b"**", b"\xe2\x80\xae", b"'\\ud800'", b"'\\N{DIGIT ONE}'", b"a.b", b"@",
)  # fmt: skip


def expression_seeds(folder: Path) -> list[bytes]:
    """Return expressions of every kind, with what it is an expression of."""
    return [named(kind, text.encode()) for kind, text in EXPRESSIONS]


@by_name
def expression_case(random: Random, kind: str, known: Sequence[bytes]) -> bytes:
    """Mutate an expression by bytes and by words of the grammar."""
    return mutated(random, known, WORDS)


def expression_reader(folder: Path) -> Callable[[bytes], None]:
    """Resolve an expression; what it resolves to must be written and resolved to the same."""
    from denoisebench.plugins.expression import canonical, resolve
    from denoisebench.plugins.find import find

    catalogue = find(())

    def reader(data: bytes) -> None:
        kind, text = split(data)
        parts = resolve(os.fsdecode(text), kind, catalogue)  # as an argument comes
        written = canonical(parts)
        again = accepted(resolve, written, kind, catalogue)
        assert again == parts, written
        assert canonical(again) == written

    return reader


def toml_seeds(folder: Path) -> list[bytes]:
    """Return all tasks and presets, and a recipe."""
    from denoisebench.plugins.find import find
    from denoisebench.task import load_task
    from denoisebench.training.recipe import plan

    class Split:
        name, digest, split_digest, train = "folder-12345678", "a" * 64, "b" * 64, ()

    plan(find(()), steps=3).recipe(load_task("ct-sigma50"), Split).write(folder / "recipe.toml")
    return [
        *(named("task", path.read_bytes()) for path in sorted(REGISTRY.glob("tasks/*.toml"))),
        *(named("preset", path.read_bytes()) for path in sorted(REGISTRY.glob("presets/*.toml"))),
        named("recipe", (folder / "recipe.toml").read_bytes()),
    ]


@by_name
def toml_case(random: Random, kind: str, known: Sequence[bytes]) -> bytes:
    """Mutate bytes, or values."""
    import tomli_w

    if random.random() < 0.4:
        return mutated(random, known)
    values = tomllib.loads(random.choice(known).decode())
    try:
        return tomli_w.dumps(changed_values(random, values, TOML_ONLY)).encode()
    except (TypeError, AttributeError, ValueError):  # no table any more
        return mutated(random, known)


def toml_reader(folder: Path) -> Callable[[bytes], None]:
    """Load a task, a preset or a recipe and use it as the commands do."""
    import numpy as np

    from denoisebench.plugins.expression import canonical, resolve
    from denoisebench.plugins.find import find
    from denoisebench.task import load_task
    from denoisebench.training.recipe import Recipe, plan

    catalogue = find(())
    hu = np.array([-32768, -1024, 0, 40, 32767], np.int16)

    def reader(data: bytes) -> None:
        kind, text = split(data)
        path = folder / f"{kind}.toml"
        path.write_bytes(text)
        if kind == "task":
            task = load_task(str(path))
            for metric in task.metrics:
                resolve(metric, "metric", catalogue)
            for reference in task.references:
                resolve(reference, "baseline", catalogue)
            assert np.isfinite(task.sigma), task.sigma
            assert task.sigma > 0
            assert np.isfinite(task.to_grey(hu)).all()
        elif kind == "preset":
            planned = plan(catalogue, preset=str(path))
            for part in (planned.generator, planned.discriminator):
                if part is not None:
                    again = accepted(resolve, canonical([part]), part.card.kind, catalogue)
                    assert canonical(again) == canonical([part])
            accepted(resolve, canonical(planned.losses), "loss", catalogue)
        else:
            recipe = Recipe.read(path)
            assert len(recipe.hash) == len(recipe.family) == 64
            assert recipe.method
            assert recipe.differences(recipe) == []
            resolve(recipe.generator, "generator", catalogue)
            recipe.write(folder / "again.toml")
            assert accepted(Recipe.read, folder / "again.toml").hash == recipe.hash

    return reader


FILES = ("a.dcm", "b/c.dcm", "d.dcm")
MANIFESTS = (
    "path,split\na.dcm,train\nb/c.dcm,val\nd.dcm,test\n",
    f"path,split,patient,pixel_sha256,frame\na.dcm,train,p1,{'a' * 64},1\nd.dcm,test,p2,,2\n",
    '\ufeffsplit,path,other\r\ntrain,"a.dcm",x\r\ntest,d.dcm,"y\nz"\r\n',
)


def manifest_seeds(folder: Path) -> list[bytes]:
    """Return manifests of three writers."""
    return [text.encode() for text in MANIFESTS]


def manifest_reader(folder: Path) -> Callable[[bytes], None]:
    """Read a manifest whose files are there."""
    from denoisebench.data.intake.manifest import NAME, read_manifest

    for name in FILES:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()

    def reader(data: bytes) -> None:
        (folder / NAME).write_bytes(data)
        rows = read_manifest(folder)
        assert rows
        for row in rows:
            assert row.split in ("train", "val", "test")
            assert (folder / row.path).resolve().is_relative_to(folder.resolve())

    return reader


EXPRESSION = Target(expression_seeds, expression_case, expression_reader)
TOML = Target(toml_seeds, toml_case, toml_reader)
MANIFEST = Target(manifest_seeds, mutated, manifest_reader)
