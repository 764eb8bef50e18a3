"""The two kinds of install: what stands in the wheel, and that both find the registry."""

import json
import subprocess
import sys
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOOK = (
    "import json, denoisebench, denoisebench.registry as registry\n"
    "from denoisebench.plugins.find import find\n"
    "from denoisebench.task import task_names\n"
    "from denoisebench.training.recipe import preset_names\n"
    "cards = [card.name for card in find().cards]\n"
    "print(json.dumps({'home': registry.__path__[0], 'cards': cards,\n"
    "                  'tasks': task_names(), 'presets': preset_names()}))\n"
)


def look(folder: Path, path: str = "") -> dict:
    command = [sys.executable, "-c", LOOK]
    environment = {"PYTHONPATH": path, "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
    return json.loads(done.stdout)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    # A copy: a build leaves its own folder beside what it builds.
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, check=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, tracked):
        if name.startswith(("denoisebench/", "registry/")) or "/" not in name:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).exists():
                (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(folder)]
    subprocess.run([*command, str(source)], check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_module_and_file_of_the_package(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    for folder, name in (("denoisebench", "denoisebench"), ("registry", "denoisebench/registry")):
        for path in (ROOT / folder).rglob("*"):
            if (
                path.suffix in (".py", ".toml", ".typed", ".html", ".css", ".js")
                and "__pycache__" not in path.parts
            ):
                assert f"{name}/{path.relative_to(ROOT / folder)}" in inside
    assert not [name for name in inside if name.startswith("tests")]


def test_an_installed_wheel_finds_its_plugins_tasks_and_presets(wheel, tmp_path):
    target = tmp_path / "site"
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target)]
    subprocess.run([*command, str(wheel)], check=True, capture_output=True)
    seen = look(tmp_path, str(target))
    assert seen["home"] == str(target / "denoisebench" / "registry")
    assert {"unet7", "patch3", "cgan", "bm3d", "psnr"} <= set(seen["cards"])
    assert "ct-sigma50" in seen["tasks"]
    assert "quick" in seen["presets"]


@pytest.mark.parametrize("inside", [True, False])
def test_an_editable_install_finds_the_registry_from_anywhere(tmp_path, inside):
    # A checkout also holds an .egg-info, which says nothing of how it was installed.
    texts = [found.read_text("direct_url.json") for found in distributions(name="denoisebench")]
    installs = [json.loads(text) for text in texts if text]
    if not any(install.get("dir_info", {}).get("editable") for install in installs):
        pytest.skip("denoisebench is not installed as editable here")
    assert look(ROOT if inside else tmp_path)["home"] == str(ROOT / "registry")
