import json
import subprocess
import sys
from inspect import cleandoc
from pathlib import Path

import pytest

from denoisebench.cli.main import PANELS, load


def test_info_prints_the_exact_parameter_counts(denoisebench):
    assert json.loads(denoisebench("info", "unet7", "--json").out)["parameters"] == 54_407_809
    assert json.loads(denoisebench("info", "patch3", "--json").out)["parameters"] == 2_764_609


def test_list_names_every_kind(denoisebench):
    found = json.loads(denoisebench("list", "--json").out)
    names = {kind: {entry["name"] for entry in entries} for kind, entries in found.items()
             if kind != "problems"}  # fmt: skip
    assert {"unet7", "unet6", "resunet", "dncnn"} <= names["generators"]
    assert "patch3" in names["discriminators"]
    assert {"cgan", "lsgan", "l1", "mse", "ssim"} <= names["losses"]
    assert {"noisy", "bm3d", "nlm"} <= names["baselines"]
    assert {"psnr", "psnr_body", "ssim", "rmse_hu", "lpips"} <= names["metrics"]
    assert "ct-sigma50" in names["tasks"]
    assert {"quick", "standard", "doan2017"} <= names["presets"]


def test_list_shows_one_kind_and_the_licence_that_restricts(denoisebench):
    answer = denoisebench("list", "baselines")
    assert "non-commercial" in answer.out
    assert "unet7" not in answer.out


def test_a_plugin_that_cannot_be_read_is_named_and_the_rest_is_listed(
    denoisebench, tmp_path, monkeypatch
):
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "broken.py").write_text("from denoisebench import loss\ndef (")
    monkeypatch.setenv("DENOISEBENCH_PLUGINS", str(folder))
    answer = denoisebench("list")
    assert answer.code == 0
    assert "unet7" in answer.out
    assert "broken.py" in answer.err


MISTAKES = [("list", "loses"), ("info", "unet77"), ("weights", "fetch", "x"),
            ("leaderboard", "nowhere"), ("rum",), ("run", "stray")]  # fmt: skip


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_is_one_line_and_code_2(denoisebench, words):
    answer = denoisebench(*words)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)


def test_doctor_says_what_is_missing_and_how_to_mend_it(denoisebench):
    answer = denoisebench("doctor", "--json")
    findings = json.loads(answer.out)
    missing = [finding for finding in findings if finding["what"] == "weights"]
    assert answer.code == 1
    assert all("weights fetch" in finding["mend"] for finding in missing)
    assert any("bm3d: non-commercial" in finding["value"] for finding in findings)


def test_weights_list_and_verify_say_what_is_missing(denoisebench):
    entries = json.loads(denoisebench("weights", "list", "--json").out)
    assert {entry["present"] for entry in entries} == {False}
    answer = denoisebench("weights", "verify")
    assert answer.code == 1
    assert "weights fetch lpips" in answer.out


def imported(words: list[str], folder: Path) -> set[str]:
    """Modules that a command imports in a process of its own."""
    script = (
        "import sys; from denoisebench.cli.main import main\n"
        f"sys.argv = ['denoisebench', *{words!r}]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('\\nmodules:', *sys.modules)\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("modules:")[2].split())


HEAVY = {
    "PIL", "bm3d", "filelock", "huggingface_hub", "idc_index_data", "jinja2", "kornia",
    "matplotlib", "multiprocessing", "numpy", "piq", "pydantic", "pydicom", "ray", "safetensors",
    "scipy", "skimage", "sklearn", "tensorboard", "timm", "tomli_w", "torch", "wandb",
}  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [["--help"], ["--version"], ["run", "--help"], ["list"], ["info", "unet7"], ["rum"],
     ["run", "--gen", "unet77"], ["run", "stray"], ["leaderboard", "nowhere"],
     ["blend", "--help"], ["blend", "a", "b", "--weights", "x"],
     ["sweep", "--help"], ["sweep", "--gen", "unet7,unet77"], ["sweep", "--seed", "x"]],
    ids=" ".join,
)  # fmt: skip
def test_help_lists_and_mistakes_import_nothing_heavy(words, tmp_path):
    # torch takes seconds to import, NumPy and pydantic a tenth; without them these answer at once
    assert not HEAVY & imported(words, tmp_path)


@pytest.mark.parametrize(
    "words",
    [["run", "--batch", "0"], ["run", "--data", "nowhere"], ["blend", "a", "b"]],
    ids=" ".join,
)
def test_mistakes_that_need_the_recipe_or_the_data_import_no_torch(words, tmp_path):
    found = imported(words, tmp_path)
    assert "pydantic" in found  # what is asserted absent above would be seen
    assert not {"torch", "tensorboard", "wandb"} & found


def test_the_groups_help_imports_no_command_and_a_mistake_no_rich(tmp_path):
    found = imported(["--help"], tmp_path)
    assert {name for name in found if name.startswith("denoisebench.")} == {
        "denoisebench.cli", "denoisebench.cli.main", "denoisebench.errors",
    }  # fmt: skip
    assert "rich" in found
    assert "rich" not in imported(["run", "--gen", "unet77"], tmp_path)


def test_the_group_says_of_each_command_what_the_command_says_of_itself():
    for name, sentence in [pair for names in PANELS.values() for pair in names.items()]:
        first, _, _ = cleandoc(load(name).help or "").partition("\n\n")
        assert sentence == first.replace("\n", " ")
        assert load(name).name == name


def test_unreadable_output_pipe_is_no_traceback(tmp_path):
    command = f"{sys.executable} -m denoisebench list | head -1"
    done = subprocess.run(
        command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
