"""Nothing is sent unless asked for, and nothing kept says who, where or on which machine."""

import http.server
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from read_back import logged, wandb_records

from denoisebench.scoring.run import run_folder, run_network
from denoisebench.tracking import open_trackers

SCRIPT = Path(__file__).with_name("tracked_once.py")
HOST = "canaryhost"


def renamed_host() -> list[str]:
    """Words before a command that let it run on a host of that name, where this user may."""
    before = ["unshare", "--uts", "sh", "-c", f'hostname {HOST} && exec "$@"', "sh"]
    if (
        shutil.which("unshare")
        and not subprocess.run([*before, "true"], capture_output=True).returncode
    ):
        return before
    return []


def test_what_trackers_keep_names_no_host_person_or_place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("canaryfolder")
    for words in (["init", "-q"], ["remote", "add", "origin", "git@canaryremote.example:a/b"],
                  ["-c", "user.name=a", "-c", "user.email=b", "commit", "-qm", "c",
                   "--allow-empty"]):  # fmt: skip
        subprocess.run(["git", *words], cwd=folder, check=True)
    environment = {
        **os.environ, "OMP_NUM_THREADS": "1", "HOME": str(folder / "canaryhome"),
        "USER": "canaryuser", "LOGNAME": "canaryuser", "WANDB_USERNAME": "canaryuser",
        "WANDB_USER_EMAIL": "canarymail@example.org", "DENOISEBENCH_HOME": str(folder / "cache"),
    }  # fmt: skip
    environment.pop("WANDB_MODE", None)
    before = renamed_host()
    command = [*before, sys.executable, SCRIPT, folder, "canaryword"]
    done = subprocess.run([str(word) for word in command], cwd=folder, env=environment,
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr

    canaries = {"canaryfolder", "canaryremote", "canaryuser", "canarymail", "canaryword",
                sys.prefix}  # fmt: skip
    canaries |= {HOST} if before else set()
    assert found(folder / "ours", canaries | {"canaryhome"}) == {}

    # the same search, where TensorBoard and W&B were left to themselves
    theirs = found(folder / "theirs", canaries)
    assert theirs.keys() == canaries
    assert not before or any(name.startswith("events.out") for name in theirs[HOST])
    assert all(any(name.endswith(".wandb") for name in names) for names in theirs.values())


def found(folder: Path, canaries: set[str]) -> dict[str, list[str]]:
    """Say which canaries stand in names and contents of what trackers left, and in which."""
    (run,) = folder.glob("runs/tiny-*")
    seen: dict[str, list[str]] = {}
    paths = [*(run / "tensorboard").rglob("*"), *(run / "wandb").rglob("*")]
    assert any(path.name.endswith(".wandb") for path in paths)
    for path in paths:
        inside = path.name.encode() + (path.read_bytes() if path.is_file() else b"")
        inside += str(path.readlink()).encode() if path.is_symlink() else b""
        for canary in canaries:
            if canary.encode() in inside:
                seen.setdefault(canary, []).append(path.name)
    return seen


@pytest.fixture
def network(monkeypatch):
    """Stand in for all of the network; a list of what was asked of it."""
    asked: list[str] = []

    class Refusing(http.server.BaseHTTPRequestHandler):
        def answer(self):
            asked.append(self.path)
            self.send_error(403)

        do_GET = do_POST = do_CONNECT = answer

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    for name in ("WANDB_BASE_URL", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, address)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    yield asked
    server.shutdown()
    thread.join()
    server.server_close()


def done(bench, recipe, notes):
    folder = run_folder(bench, recipe)
    with open_trackers(["wandb", "tensorboard"], recipe, folder, note=notes.append) as trackers:
        result = run_network(bench, recipe, folder, report=trackers.report)
        trackers.finish(result)
    return result


def test_nothing_is_sent_unless_it_is_asked_for(bench, recipe, network):
    notes: list[str] = []
    assert done(bench, recipe, notes).status == "done"
    assert (network, notes) == ([], [])


def test_a_server_that_refuses_costs_a_note_and_not_the_run(bench, recipe, network, monkeypatch):
    """This is also the check that the stand-in for the network would have heard."""
    monkeypatch.setenv("WANDB_MODE", "online")
    notes: list[str] = []
    assert done(bench, recipe, notes).status == "done"
    assert network
    assert len(notes) == 1
    assert notes[0].startswith("wandb is told nothing more (")
    assert len(logged(run_folder(bench, recipe))) == 10


@pytest.mark.parametrize("said", [None, "no", "yes"])
def test_a_slice_of_the_data_is_given_to_wandb_only_if_asked(bench, recipe, monkeypatch, said):
    asked = said == "yes"
    if said:
        monkeypatch.setenv("DENOISEBENCH_WANDB_PREVIEW", said)
    done(bench, recipe, notes := [])
    assert notes == []
    folder = run_folder(bench, recipe)
    pictures = list(folder.glob("wandb/*/files/media/images/*.png"))
    assert [path.read_bytes() for path in pictures] == [
        (folder / "preview.png").read_bytes()
    ] * asked
    (file,) = folder.glob("wandb/*/run-*.wandb")
    kinds = {record.WhichOneof("record_type") for record in wandb_records(file)}
    assert ("files" in kinds) == asked
    assert {"run", "history", "summary", "exit"} <= kinds
