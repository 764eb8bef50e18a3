"""What travels arrives as it was, and what arrives is data."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from denoisebench.errors import Unavailable
from denoisebench.fleet.cluster import freight
from denoisebench.fleet.cluster.freight import FILES, UNFINISHED, Bundle, Home, Offer
from denoisebench.plugins.find import find
from denoisebench.plugins.source import source_digest

MAIN = """
from denoisebench import loss
from ..shared.parts import size
from .beside import other


@loss("mine")
def mine(output, target):
    return size(output - target)
"""


OVER = """
from denoisebench import loss


@loss("mine", override=True)
def mine(output, target):
    return (output - target).abs().mean()
"""


@pytest.fixture
def own_plugin(tmp_path) -> Path:
    """A plug-in with a sibling, and another above it."""
    for name, text in {
        "mine/deep/plugin.py": MAIN,
        "mine/deep/beside.py": "other = 1\r\n",
        "mine/shared/parts.py": "def size(x):\n    return x.abs().mean()\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return tmp_path / "mine" / "deep" / "plugin.py"


def packed(stage, runs, token="", **changes):
    (one,) = freight.pack([stage.job()], stage.setting(runs, **changes), token)
    return one


def test_plugins_and_task_are_the_same_where_they_arrive(stage, own_plugin, tmp_path):
    sent = packed(stage, tmp_path / "runs", plugins=(stage.plugins, own_plugin))
    there = freight.unpack(sent, tmp_path / "there")
    assert [path.name for path in there.plugins] == ["mine.py", "plugin.py"]
    for here, arrived in zip((stage.plugins, own_plugin), there.plugins, strict=True):
        assert arrived.is_relative_to(tmp_path / "there")
        assert source_digest(arrived) == source_digest(here)
    assert Path(there.task).read_bytes() == stage.task_file.read_bytes()
    assert there.runs == tmp_path / "there" / "runs"


def test_plugins_of_folders_travel_too(stage, own_plugin, tmp_path, monkeypatch):
    monkeypatch.setenv("DENOISEBENCH_PLUGINS", str(own_plugin.parent))
    sent = packed(stage, tmp_path / "runs")
    monkeypatch.delenv("DENOISEBENCH_PLUGINS")
    there = freight.unpack(sent, tmp_path / "there")
    assert find(there.plugins).get("loss", "mine").digest == source_digest(own_plugin)


def test_a_folder_of_data_means_the_same_from_another_current_folder(stage, tmp_path, monkeypatch):
    monkeypatch.chdir(stage.data.parent)
    assert packed(stage, tmp_path, data="discs").setting.data == str(stage.data)
    assert packed(stage, tmp_path, data="phantom").setting.data == "phantom"


def test_only_who_sees_the_very_runs_folder_writes_there(stage, tmp_path):
    runs = tmp_path / "runs"
    with freight.showing(runs) as token:
        sent = packed(stage, runs, token)
        assert freight.unpack(sent, tmp_path / "there").runs == runs
        copy = tmp_path / "copy of another sweep's"
        copy.mkdir()
        (copy / f"{freight.TOKEN}-{'0' * 32}").touch()
        other = replace(sent, setting=replace(sent.setting, runs=copy))
        assert freight.unpack(other, tmp_path / "there").runs != copy
        with freight.showing(runs):  # a second sweep, which ends earlier
            assert freight.sees(sent)
        assert freight.sees(sent)
    assert not list(runs.iterdir())


@pytest.mark.parametrize("name", ["../out.py", "/tmp/out.py", "in/../../out.py"])
def test_no_file_of_a_bundle_leaves_its_folder(tmp_path, name):
    with pytest.raises(ValueError, match="leaves its folder"):
        freight._unbundle(Bundle("a.py", {name: b""}), tmp_path / "there")


@pytest.mark.parametrize("name", ["../recipe.toml", "evil.py", "/etc/passwd", "", 7, ".lock",
                                  "tensorboard/../recipe.toml", "wandb/.hidden", "wandb//x",
                                  "tensorboard", "wandb/run-1/a\n"])  # fmt: skip
def test_what_no_run_has_is_not_written_at_home_nor_on_a_node(tmp_path, name):
    folder = tmp_path / "run"
    folder.mkdir()
    with pytest.raises(Unavailable, match="which no run has"):
        Home(folder, 0).receive({"recipe.toml": 1, name: 1}, lambda name, offset: b"x")
    with pytest.raises(ValueError, match="no run has"):
        freight.put(folder, name, b"x")
    assert not list(folder.iterdir())


def test_a_file_that_ends_on_its_way_leaves_the_old_one(tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"old")
    pieces = iter([b"new", b""])
    with pytest.raises(Unavailable, match="ended on its way"):
        Home(tmp_path, 0).receive({"checkpoint.pt": 9}, lambda name, offset: next(pieces))
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]
    assert (tmp_path / "checkpoint.pt").read_bytes() == b"old"


def test_more_bytes_than_were_announced_are_not_written(tmp_path):
    Home(tmp_path, 0).receive({"checkpoint.pt": 3}, lambda name, offset: b"abcdef")
    assert (tmp_path / "checkpoint.pt").read_bytes() == b"abc"


def test_files_arrive_in_the_order_in_which_they_count_on_each_other(tmp_path):
    order = []

    def piece(name: str, offset: int) -> bytes:
        order.append(name)
        return b"x"

    Home(tmp_path, 0).receive(dict.fromkeys(sorted(FILES), 1), piece)
    assert tuple(order) == FILES
    assert order.index("log.jsonl") < order.index("checkpoint.pt")
    assert order[-1] == "result.json"


def test_what_trackers_wrote_travels_but_for_links(tmp_path):
    for name in ("tensorboard/events.out.tfevents.1", "wandb/offline-run-1/files/config.yaml"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "wandb" / "latest-run").symlink_to(tmp_path)
    (tmp_path / "wandb" / "debug.log").symlink_to("/etc/passwd")
    (tmp_path / "result.json").write_text("{}")
    (tmp_path / "recipe.toml").touch()
    (tmp_path / "audit.json").touch()
    names = freight.names_in(tmp_path)
    assert names == (
        "recipe.toml", "tensorboard/events.out.tfevents.1",
        "wandb/offline-run-1/files/config.yaml", "result.json",
    )  # fmt: skip
    home = tmp_path / "home"
    Home(home, 0).receive(dict.fromkeys(names, 1), lambda name, offset: b"x")
    assert freight.names_in(home) == names


def test_what_trackers_wrote_earlier_goes_when_all_of_a_run_is_there(
    tmp_path,
):
    old, new = "tensorboard/events.out.tfevents.1", "tensorboard/events.out.tfevents.2"
    (tmp_path / "tensorboard").mkdir()
    for name in (old, "log.jsonl", "audit.json", "tensorboard/.kept"):
        (tmp_path / name).touch()
    Home(tmp_path, 0).receive({"recipe.toml": 1}, lambda name, offset: b"x")
    assert (tmp_path / old).exists()  # a checkpoint's arrival is not all
    Home(tmp_path, 0).receive({new: 1, "result.json": 1}, lambda name, offset: b"x", whole=True)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {
        new, "tensorboard/.kept", "recipe.toml", "log.jsonl", "result.json", "audit.json",
    }  # fmt: skip


def test_a_checkpoint_travels_whole_while_newer_ones_take_its_place(tmp_path, monkeypatch):
    monkeypatch.setattr(freight, "PIECE", 4)
    folder, home = tmp_path / "run", Home(tmp_path / "home", 0)
    folder.mkdir()
    home.folder.mkdir()
    (folder / "log.jsonl").write_text("1\n")
    (folder / "checkpoint.pt").write_bytes(b"first one")
    offer = Offer()
    known, sizes = offer.look(folder, UNFINISHED, 0)
    assert sizes == {"log.jsonl": 2, "checkpoint.pt": 9}

    def piece(name: str, offset: int) -> bytes:
        (folder / "newer").write_bytes(b"the second")
        (folder / "newer").replace(folder / "checkpoint.pt")
        with (folder / "log.jsonl").open("a") as file:
            file.write("2\n")
        return offer.piece(name, offset)

    home.receive(sizes, piece)
    assert (home.folder / "checkpoint.pt").read_bytes() == b"first one"
    assert (home.folder / "log.jsonl").read_text() == "1\n"
    again, sizes = offer.look(folder, UNFINISHED, known)
    assert sizes["checkpoint.pt"] == 10
    assert offer.look(folder, UNFINISHED, again) == (again, {})  # that one is home
    assert offer.look(folder, FILES, again)[1]["checkpoint.pt"] == 10
    offer.close()


def test_checkpoints_are_on_their_way_for_a_bounded_share_of_the_time(tmp_path, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    home = Home(tmp_path, 30.0)
    clock[0] += 29
    assert not home.due
    clock[0] += 1
    assert home.due

    def slow(name: str, offset: int) -> bytes:
        clock[0] += 10
        return b"x"

    home.receive({"checkpoint.pt": 1}, slow)
    clock[0] += 10 / freight.HOME_SHARE - 1
    assert not home.due
    clock[0] += 1
    assert home.due


def test_what_a_process_that_died_left_is_cleared_away_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left, fresh, linked = (tmp_path / f"{freight.SCRATCH}{name}" for name in ("a", "b", "c"))
    for folder in (left, fresh, tmp_path / "target"):
        folder.mkdir()
        (folder / "file").touch()
    linked.symlink_to(tmp_path / "target")
    hours_ago = time.time() - 10_000
    os.utime(left, (hours_ago, hours_ago))
    with freight.scratch() as held:
        os.utime(held, (hours_ago, hours_ago))
        with freight.scratch() as other:
            assert held.exists()
            assert not left.exists()
            assert fresh.exists()
            assert (tmp_path / "target" / "file").exists()
    assert not held.exists()
    assert not other.exists()


def test_a_file_that_is_named_twice_travels_once_and_in_order(
    stage, own_plugin, tmp_path, monkeypatch
):
    """By the variable through a link, and by its name; a later folder overrides an earlier one."""
    (tmp_path / "link").symlink_to(own_plugin.parent)
    over = tmp_path / "above" / "over.py"  # sorted before "mine"
    over.parent.mkdir()
    over.write_text(OVER)
    folders = f"{tmp_path / 'link'}:{over.parent}"
    monkeypatch.setenv("DENOISEBENCH_PLUGINS", folders)
    here = find((own_plugin,)).get("loss", "mine").path
    sent = packed(stage, tmp_path / "runs", plugins=(stage.plugins, own_plugin))
    monkeypatch.delenv("DENOISEBENCH_PLUGINS")
    there = freight.unpack(sent, tmp_path / "there")
    assert here.name == find(there.plugins).get("loss", "mine").path.name == "over.py"
