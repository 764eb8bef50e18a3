"""A package of plug-ins from elsewhere, installed with pip, is in reach like the built-ins."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from denoisebench.plugins.source import source_digest

PACKAGE = Path(__file__).parent / "third_party"


@pytest.fixture(scope="module")
def denoisebench(tmp_path_factory):
    """Run the command line in a process that has the package installed."""
    folder = tmp_path_factory.mktemp("third_party")
    source = shutil.copytree(PACKAGE, folder / "source")  # a build leaves files in its folder
    site = folder / "site"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
         "--no-index", "--disable-pip-version-check", "--target", site, source],
        check=True,
    )  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(site)}

    def call(*words):
        return subprocess.run(
            [sys.executable, "-m", "denoisebench", *words],
            cwd=folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return call


def test_its_plugins_are_listed_with_their_package(denoisebench):
    answer = denoisebench("list", "--json")
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    cards = {
        card["name"]: card for kind in ("losses", "baselines", "metrics") for card in found[kind]
    }
    assert cards["log_cosh"]["origin"] == "package ct-extras"
    assert cards["log_cosh"]["knobs"][0]["default"] == 10.0
    assert cards["local_mean"]["kind"] == "baseline"
    assert "l1" in cards


def test_a_plugin_that_cannot_be_imported_is_listed_with_its_reason(denoisebench):
    found = json.loads(denoisebench("list", "metrics", "--json").stdout)["metrics"]
    (card,) = [card for card in found if card["name"] == "needs_more"]
    assert card["needs"] == ["a_library_that_nobody_has"]
    assert not any(other["needs"] for other in found if other["name"] != "needs_more")
    shown = " ".join(denoisebench("list", "metrics").stdout.split())  # it may be wrapped
    assert "ct-extras) (needs a_library_that_nobody_has, which is not installed)" in shown


def test_its_loss_keeps_every_contract(denoisebench):
    answer = denoisebench("check", "log_cosh")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "failed" not in answer.stdout


def test_another_module_of_its_package_is_part_of_a_plugins_source(tmp_path):
    """An edit there is another training, however the module was imported."""
    folder = tmp_path / "mypkg" / "plugins"
    folder.mkdir(parents=True)
    (tmp_path / "mypkg" / "nets.py").write_text("def block(): ...\n")
    plugin = folder / "unet.py"
    for line in ("from mypkg.nets import block", "from ..nets import block", "import mypkg.nets"):
        plugin.write_text(f"from denoisebench import generator\n{line}\n")
        before = source_digest(plugin, "mypkg.plugins.unet")
        with (tmp_path / "mypkg" / "nets.py").open("a") as file:
            file.write("# edited\n")
        assert source_digest(plugin, "mypkg.plugins.unet") != before
