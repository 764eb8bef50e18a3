import importlib.util
import os
import signal
import subprocess
import sys
import tomllib
from inspect import signature
from pathlib import Path

import pytest
import torch
from torch import nn

import denoisebench as db
from denoisebench.cli.run import run as command

WORDS = ["--loss", "l1", "--batch", "2", "--patch", "48", "--steps", "6", "--data",
         "phantom-8x2x64", "--task", "tiny-task.toml", "--plugin", "tiny_plugins.py"]  # fmt: skip
SCRIPT = """
import denoisebench as db

small = dict(data="phantom-8x2x64", task="tiny-task.toml", plugins=["tiny_plugins.py"])
run = db.train("tiny", loss="l1", batch=2, patch=48, steps=6, **small)
print(run.psnr > 0, db.evaluate("nlm(h=0.4)", **small).psnr > 0)
"""


def imported(name: str):
    """Import a file of the current folder, as a notebook does."""
    spec = importlib.util.spec_from_file_location(name, f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_same_words_are_one_run_on_the_command_line_and_in_python(fast, cli):
    assert cli("run", "--gen", "tiny", *WORDS)[0] == 0
    (folder,) = Path("runs").glob("tiny-*")
    stamp = (folder / "model.safetensors").stat().st_mtime_ns
    run = db.train("tiny", **fast)
    assert run.folder == folder.resolve()
    assert run.recipe.hash == run.result.recipe
    assert (folder / "model.safetensors").stat().st_mtime_ns == stamp  # read, not repeated
    other = db.train("tiny", **fast | {"seed": 1})
    assert other.folder != run.folder  # the check sees a difference
    assert other.recipe.differences(run.recipe) == ["seed 0 → 1"]


def test_a_training_from_python_has_the_bits_of_one_from_the_command_line(fast, cli):
    assert cli("run", "--gen", "tiny", *WORDS, "--out", "elsewhere")[0] == 0
    (theirs,) = Path("elsewhere").glob("tiny-*/model.safetensors")
    run = db.train("tiny", **fast)
    assert (run.folder / "model.safetensors").read_bytes() == theirs.read_bytes()
    names = {path.name for path in theirs.parent.iterdir() if not path.name.startswith(".")}
    assert names == {path.name for path in run.folder.iterdir() if not path.name.startswith(".")}


def test_every_choice_of_the_command_line_can_be_made_in_python():
    names = {"gen": "generator", "disc": "discriminator", "lr": "learning_rate"}
    theirs = {names.get(str(option.name), option.name) for option in command.params}
    mine = signature(db.train).parameters.keys()
    assert theirs - {"twin", "baseline", "audited", "track", "as_json"} == mine - {
        "references", "progress",
    }  # fmt: skip


def test_what_is_left_out_is_the_presets(fast):
    del fast["loss"]
    recipe = db.train("tiny", **fast).recipe
    assert (recipe.loss, recipe.preset) == ("cgan + 100*l1", "quick")


def test_a_run_says_what_it_scored(fast):
    run = db.train("tiny", **fast)
    psnr = run.metrics["psnr"]
    assert run.psnr == psnr.mean
    assert psnr.lo <= psnr.mean <= psnr.hi
    values = [score.value for score in run.scores if score.metric == "psnr"]
    assert len(values) == run.result.n_slices == 2
    assert sum(values) / 2 == pytest.approx(run.psnr, abs=1e-9)  # one slice a patient
    assert repr(run).startswith(f"<Run tiny · l1: psnr {run.psnr:.2f} dB, tiny-task on phantom-8x2")
    assert str(run.folder.parent) not in repr(run) + run._repr_markdown_()
    assert "| tiny · l1 |" in run._repr_markdown_()


def test_the_references_stand_beside_a_run_unless_they_are_left_out(fast):
    db.train("tiny", **fast, out="alone")
    assert not list(Path("alone").glob("noisy-*"))
    db.train("tiny", **fast | {"references": True})
    assert list(Path("runs").glob("noisy-*"))


def test_a_run_is_opened_by_its_folder_its_name_or_its_hash(fast, small):
    run = db.train("tiny", **fast)
    more = {"task": small["task"], "plugins": small["plugins"]}
    for name in (run.folder, run.folder.name, run.result.recipe[:10]):
        assert db.load(name, **more) == run
    with pytest.raises(db.UsageError, match="no run is called 'nobody' below 'runs'"):
        db.load("nobody")


def test_its_network_is_in_eval_mode_and_denoises_on_every_scale(fast):
    run = db.train("tiny", **fast)
    network = run.generator()
    assert isinstance(network, nn.Module)
    assert not network.training
    noisy = 40 + 60 * torch.randn(2, 50, 70, generator=torch.Generator().manual_seed(0)).numpy()
    hu = run.denoise(noisy)
    assert hu.shape == (2, 50, 70)  # 24 divides neither side
    grey = run.denoise((noisy + 160) * 255 / 400, input="grey")
    assert hu == pytest.approx(grey * 400 / 255 - 160, abs=1e-3)  # float32 in between
    assert run.denoise(noisy[0]) == pytest.approx(hu[0], abs=1e-3)
    air = noisy.copy()
    air[:, :10] = -1000
    assert (run.denoise(air)[:, :10] == -1000).all()  # beyond the window it stays as it is


def test_what_is_no_slice_is_told(fast):
    run = db.train("tiny", **fast)
    with pytest.raises(db.UsageError, match=r"shape \(3,\) is no slice"):
        run.denoise([1.0, 2.0, 3.0])
    with pytest.raises(db.UsageError, match="finite"):
        run.denoise([[1.0, float("nan")]])
    with pytest.raises(db.UsageError, match="no scale named 'uint8'; input is one of network"):
        run.denoise([[1.0]], input="uint8")
    noisy = db.evaluate("noisy", data=run.result.data, task="tiny-task.toml")
    with pytest.raises(db.UsageError, match="is a baseline's run; it has no network"):
        noisy.generator()


def test_marked_functions_of_a_file_are_given_as_they_are(fast, small):
    mine = imported("tiny_plugins")
    words = fast | {"loss": mine.my_loss, "plugins": []}
    run = db.train(mine.tiny, **words)
    assert run.result.method == "tiny · my_loss"
    assert run == db.train("tiny", **fast | {"loss": "my_loss"})  # as by their names
    assert run.generator() is not None  # it knows its file


def test_what_no_recipe_can_name_is_refused_with_the_way_out(fast):
    with pytest.raises(db.UsageError, match=r"unmarked is not marked as a generator: .*in a file"):
        db.train(unmarked, **fast)
    with pytest.raises(db.UsageError, match=r"Conv2d is not marked .* denoisebench.evaluate\(mod"):
        db.train(nn.Conv2d(1, 1, 3), **fast)
    with pytest.raises(db.UsageError, match="is marked as a loss"):
        db.train(imported("tiny_plugins").my_loss, **fast)
    source = "import denoisebench as db\n@db.generator('cell')\ndef cell(): ...\n"
    namespace = {"__name__": "__main__"}
    exec(compile(source, "/tmp/ipykernel_1/1.py", "exec"), namespace)  # as a notebook does
    with pytest.raises(db.UsageError, match=r"'cell' stands in a notebook .*%%writefile"):
        db.train(namespace["cell"], **fast)
    assert not Path("runs").exists()


def unmarked() -> nn.Module:
    return nn.Identity()


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ({"generator": "tinny"}, ["--gen", "tinny"]),
        ({"generator": "tiny", "loss": "l11"}, ["--gen", "tiny", "--loss", "l11"]),
        ({"generator": "tiny", "loss": "l1 l1"}, ["--gen", "tiny", "--loss", "l1 l1"]),
        ({"generator": "tiny", "task": "no-task"}, ["--gen", "tiny", "--task", "no-task"]),
        ({"generator": "tiny", "data": "no-data"}, ["--gen", "tiny", "--data", "no-data"]),
        ({"generator": "tiny", "patch": 50}, ["--gen", "tiny", "--patch", "50"]),
        ({"generator": "tiny", "device": "tpu"}, ["--gen", "tiny", "--device", "tpu"]),
        ({"generator": "tiny", "plugins": ["no.py"]}, ["--gen", "tiny", "--plugin", "no.py"]),
    ],
)
def test_a_mistake_is_told_in_the_words_of_the_command_line(fast, cli, words, options):
    with pytest.raises(db.UsageError) as error:
        db.train(**fast | words)
    code, _, told = cli("run", *WORDS, *options)
    assert code == 2
    assert told.decode().endswith(f"Error: {error.value}\n")


def test_ctrl_c_leaves_a_checkpoint_and_this_process_and_resume_goes_on(fast):
    fast["loss"] = "stopped"
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match="stopped at step 3; the same call with resume=Tr"):
        db.train("tiny", **fast)
    assert signal.getsignal(signal.SIGINT) is before
    (folder,) = Path("runs").glob("tiny-stopped-*")
    assert (folder / "checkpoint.pt").exists()
    with pytest.raises(db.UsageError, match="holds an unfinished run"):
        db.train("tiny", **fast)
    resumed = db.train("tiny", **fast, resume=True)
    undisturbed = db.train("tiny", **fast, out="undisturbed")  # the third step is over
    weights = [(run.folder / "model.safetensors").read_bytes() for run in (resumed, undisturbed)]
    assert weights[0] == weights[1]


def test_a_run_that_diverges_warns_and_has_no_network(fast):
    with pytest.warns(UserWarning, match="nan_loss diverged: nan_loss is nan at step 1") as caught:
        run = db.train("tiny", **fast | {"loss": "nan_loss"})
    assert caught[0].filename == __file__  # at the line of whoever called
    assert (run.result.status, run.psnr, run.scores) == ("diverged", None, ())
    assert "diverged" in repr(run)
    assert "diverged" in run._repr_markdown_()
    with pytest.raises(db.UsageError, match="is diverged"):
        run.generator()


def test_a_call_is_quiet_and_leaves_nothing_behind_in_the_process(fast, capfd):
    def state():
        # torch notes in the environment where its compiler's cache stands
        variables = {name: value for name, value in os.environ.items() if name[:5] != "TORCH"}
        return variables, os.getcwd(), torch.get_num_threads(), torch.get_rng_state().tolist()

    before = state()
    first = db.train("tiny", **fast, out="first")
    second = db.train("tiny", **fast, out="second")
    assert state() == before
    assert capfd.readouterr() == ("", "")
    assert first.scores == second.scores


def test_progress_is_that_of_the_command_line_and_not_on_stdout(fast, capfd):
    db.train("tiny", **fast, progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "training tiny · l1 on cpu: 6 steps, 2 crops of 48² a step" in err


def test_a_script_needs_no_guard_against_its_own_workers(here):
    (here / "script.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True True\n", "")
    (folder,) = Path("runs").glob("tiny-*")
    assert tomllib.loads((folder / "recipe.toml").read_text())["steps"] == 6
