"""The promises of the layout: sizes, names, and what may import what."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import denoisebench

ROOT = Path(__file__).parents[1]
CODE = sorted((ROOT / "denoisebench").rglob("*.py")) + sorted((ROOT / "registry").rglob("*.py"))
NO_NAMES = {"utils", "util", "common", "base", "helpers", "misc", "manager", "factory"}


def imports(path: Path) -> set[str]:
    """Modules that a file imports from denoisebench, with the names taken from it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.split(".")[0] == "denoisebench"}


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_fits_on_a_few_screens_and_has_a_telling_name(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
    assert path.stem.lower() not in NO_NAMES


@pytest.mark.parametrize("path", sorted((ROOT / "registry").rglob("*.py")), ids=lambda p: p.stem)
def test_a_plugin_imports_only_public_names(path):
    public = {f"denoisebench.{name}" for name in denoisebench.__all__}
    assert imports(path) <= public


@pytest.mark.parametrize("path", sorted((ROOT / "registry").glob("*/[a-z]*.py")),
                         ids=lambda p: p.stem)  # fmt: skip
def test_a_plugin_file_holds_one_plugin_of_its_own_name(path):
    from denoisebench.plugins.card import read_cards

    (card,) = read_cards(path)
    assert card.name == path.stem
    assert path.parent.name == (f"{card.kind}es" if card.kind == "loss" else f"{card.kind}s")


def test_the_runner_names_no_plugin():
    from denoisebench.plugins.find import find

    # Names that mean nothing but a plug-in; `ssim`, `noisy` or `mse` are words of the field too.
    telling = {card.name for card in find().cards} & {
        "unet7", "unet6", "resunet", "dncnn", "patch3", "cgan", "lsgan", "bm3d", "nlm",
    }  # fmt: skip
    for path in (ROOT / "denoisebench").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert node.value not in telling - {"bm3d"}, f"{path}: {node.value}"


def test_public_names_are_all_there():
    for name in denoisebench.__all__:
        assert getattr(denoisebench, name) is not None


def test_importing_denoisebench_imports_no_torch_and_no_numpy():
    script = "import sys, denoisebench; assert not {'torch', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)
