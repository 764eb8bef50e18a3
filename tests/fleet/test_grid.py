"""From lists to plans of trainings: no data are read, nothing is trained."""

import pytest

from denoisebench import tomlfile
from denoisebench.errors import UsageError
from denoisebench.fleet.grid import Sweep, expand, read_sweep
from denoisebench.home import registry_folder
from denoisebench.plugins.expression import canonical
from denoisebench.plugins.find import find

CATALOGUE = find()


def plans(**said):
    return expand(tomlfile.validate(said, Sweep, "sweep"), CATALOGUE)


def told(one) -> str:
    critic = f" / {canonical([one.discriminator])}" if one.discriminator else ""
    generator, loss = canonical([one.generator]), canonical(one.losses)
    return f"{generator} · {loss}{critic} @ {one.settings.seed}"


def test_every_combination_is_there_and_the_first_seed_of_all_comes_first():
    found = [told(one) for one in plans(gen="resunet,dncnn", loss="l1,cgan+l1", seed="0..1")]
    first = [
        "resunet · l1 @ 0",
        "resunet · cgan + 100*l1 / patch3 @ 0",
        "dncnn · l1 @ 0",
        "dncnn · cgan + 100*l1 / patch3 @ 0",
    ]
    assert found == first + [text.replace("@ 0", "@ 1") for text in first]


def test_a_discriminator_goes_with_losses_that_have_a_gan_term_alone():
    found = plans(gen="resunet", loss="l1,lsgan+l1", disc="patch3,patch3(width=32)")
    assert {told(one) for one in found} == {
        "resunet · l1 @ 0",
        "resunet · lsgan + 100*l1 / patch3 @ 0",
        "resunet · lsgan + 100*l1 / patch3(width=32) @ 0",
    }


def test_a_twin_stands_before_the_network_that_it_is_the_twin_of():
    found = [told(one) for one in plans(gen="resunet", loss="mse,cgan+l1", twin=True)]
    assert found == [
        "resunet · mse @ 0",
        "resunet · l1 @ 0",
        "resunet · cgan + 100*l1 / patch3 @ 0",
    ]


def test_settings_vary_too():
    found = plans(gen="resunet", loss="l1", batch=[1, 2], lr="1e-3,1e-4", patch=64, steps=7)
    assert [(one.settings.batch, one.settings.learning_rate) for one in found] == [
        (1, 1e-3), (1, 1e-4), (2, 1e-3), (2, 1e-4),
    ]  # fmt: skip
    assert {(one.settings.patch, one.settings.steps, one.settings.minutes) for one in found} == {
        (64, 7, None)
    }


def test_tables_inherit_what_stands_above_them_and_a_budget_takes_anothers_place(tmp_path):
    (tmp_path / "sweep.toml").write_text(
        """
        seed = "0..1"
        minutes = 3
        plugin = "mine.py"
        baseline = "nlm"

        [[grid]]
        gen = ["resunet"]
        loss = ["l1", "cgan + l1"]

        [[grid]]
        gen = "dncnn"
        loss = "mse"
        seed = 5
        steps = 40
        """
    )
    sweep = read_sweep(tmp_path / "sweep.toml")
    assert sweep.plugin == (str(tmp_path / "mine.py"),)
    assert sweep.baseline == ("nlm",)
    found = {told(one): one.settings for one in expand(sweep, CATALOGUE)}
    assert list(found) == [
        "resunet · l1 @ 0",
        "resunet · cgan + 100*l1 / patch3 @ 0",
        "dncnn · mse @ 5",
        "resunet · l1 @ 1",
        "resunet · cgan + 100*l1 / patch3 @ 1",
    ]
    assert (found["dncnn · mse @ 5"].steps, found["dncnn · mse @ 5"].minutes) == (40, None)
    assert found["resunet · l1 @ 0"].minutes == 3


def test_presets_stand_beside_the_file(tmp_path, monkeypatch):
    (tmp_path / "sweeps").mkdir()
    quick = (registry_folder() / "presets" / "quick.toml").read_text()
    (tmp_path / "sweeps" / "mine.toml").write_text(quick.replace("1e-3", "2e-3"))
    path = tmp_path / "sweeps" / "sweep.toml"
    path.write_text('preset = "mine.toml"\nloss = "l1"\n[[grid]]\n[[grid]]\npreset = "quick"')
    monkeypatch.chdir(tmp_path)
    found = [one.settings.learning_rate for one in expand(read_sweep(path), CATALOGUE)]
    assert found == [2e-3, 1e-3]


def test_baselines_alone_train_nothing():
    assert plans(baseline="noisy,nlm") == []


MISTAKES = {
    "nothing to sweep": {},
    "nearest: l1": {"loss": "l11"},
    "nearest: resunet": {"gen": "unet7,resunett"},
    "nearest: patch3": {"loss": "cgan+l1", "disc": "patch33"},
    "nearest: nlm": {"baseline": "nml"},
    "no seed": {"seed": "zero"},
    "seed": {"seed": -1},
    "has nothing to do": {"loss": "l1,mse", "disc": "patch3"},
    "one budget, here are minutes and steps": {"minutes": 1, "steps": 2},
    "--twin needs": {"loss": "l1", "twin": True},
    "has 40,000 runs": {"seed": "0..999", "batch": list(range(1, 41))},
    "--patch": {"gen": "unet7", "patch": 96},
    "batch": {"loss": "l1", "batch": "one"},
    "learning_rate": {"loss": "l1", "lr": 0},
    "gen: Value should have at least 1": {"gen": []},
    "lose: Extra inputs": {"lose": "l1"},
    "grid: Tuple should have": {"grid": []},
    "no preset named": {"preset": "quickk", "loss": "l1"},
    "a preset alone says nothing": {"preset": "standard", "baseline": "nlm"},
    "lr: true and false are no numbers": {"loss": "l1", "lr": True},
    "steps: true and false are no numbers": {"loss": "l1", "steps": True},
    "seed: true and false are no numbers": {"loss": "l1", "seed": True},
}


@pytest.mark.parametrize("told", MISTAKES)
def test_a_mistake_is_one_line(told):
    with pytest.raises(UsageError) as mistake:
        plans(**MISTAKES[told])
    assert told in str(mistake.value)
    assert "\n" not in str(mistake.value)
