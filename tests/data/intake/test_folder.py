"""A folder in: each file once, read by children, and each that is no slice with its reason."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from denoisebench.data.intake import readers as room
from denoisebench.data.intake.child import Facts
from denoisebench.data.intake.folder import shown, walk
from denoisebench.data.intake.readers import Progress, read_files
from denoisebench.errors import UsageError


@dataclass
class Folder:
    """What a folder held: slices with their paths, and reasons of the rest by path."""

    sources: list[tuple[str, Facts]]
    reasons: dict[str, str]


def read_folder(
    folder: Path, *, workers: int | None = None, progress: Progress | None = None
) -> Folder:
    paths, aside = walk(folder)
    found = Folder([], {item.path: item.reason for item in aside})
    answers = read_files(folder, paths, workers=workers, progress=progress)
    for path, answer in zip(paths, answers, strict=True):
        if isinstance(answer, str):
            found.reasons[shown(path)] = answer
        else:
            found.sources += [(path, facts) for facts in answer]
    return found


def reasons(found: Folder) -> dict[str, str]:
    return found.reasons


def link(place: Path, target: Path, *, folder: bool = False) -> None:
    try:
        place.symlink_to(target, target_is_directory=folder)
    except OSError as problem:  # Windows without the privilege
        pytest.skip(f"no symbolic links here: {problem}")


def test_twenty_good_slices_survive_every_kind_of_bad_file(
    tmp_path: Path, made: ModuleType
) -> None:
    made.patients(tmp_path, "abcd", slices=5)
    good = (tmp_path / "a" / "000.dcm").read_bytes()
    (tmp_path / "truncated.dcm").write_bytes(good[:-1000])
    (tmp_path / "empty.dcm").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("patient list")
    (tmp_path / "folder.dcm").mkdir()
    made.write(tmp_path / "mr.dcm", Modality="MR")
    made.write(tmp_path / "scout.dcm", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    link(tmp_path / "loop.dcm", tmp_path / "loop.dcm")
    link(tmp_path / "a" / "up", tmp_path, folder=True)
    no_utf8 = os.fsdecode(b"caf\xe9.dcm")
    try:
        (tmp_path / no_utf8).write_bytes(good[:200])
    except OSError as problem:
        pytest.skip(f"this file system has UTF-8 names only: {problem}")
    found = read_folder(tmp_path, workers=2)
    assert len(found.sources) == 20
    assert reasons(found) == {
        "truncated.dcm": "truncated: 8192 bytes of pixels claimed, 7818 in the file",
        "empty.dcm": "zero bytes",
        "notes.txt": "not DICOM",
        "mr.dcm": "not CT: modality MR",
        "scout.dcm": "a localizer, not a slice in HU",
        "loop.dcm": "a link that leads nowhere",
        "a/up": "a link to a folder that holds it",
        r"caf\xe9.dcm": "not CT: modality missing or other",
    }


def test_order_and_pixels_do_not_depend_on_the_number_of_workers(
    tmp_path: Path, made: ModuleType
) -> None:
    made.patients(tmp_path / "deep" / "deeper", "ba", slices=6)
    made.write(tmp_path / "z.dcm")
    expected = [f"deep/deeper/{name}/{index:03}.dcm" for name in "ab" for index in range(6)]
    runs = [read_folder(tmp_path, workers=workers) for workers in (0, 1, 3)]
    for found in runs:
        assert [Path(path).as_posix() for path, _ in found.sources] == [*expected, "z.dcm"]
        assert found.sources == runs[0].sources  # digests of the pixels among them


def test_links_that_loop_or_dangle_are_named_and_each_file_is_read_once(
    tmp_path: Path, made: ModuleType
) -> None:
    inside, outside = tmp_path / "data", tmp_path / "elsewhere"
    made.write(inside / "real" / "a.dcm", made.body(1))
    made.write(outside / "b.dcm", made.body(2))
    link(inside / "real" / "up", inside, folder=True)
    link(inside / "again", inside / "real", folder=True)
    link(inside / "other", outside, folder=True)
    link(inside / "gone.dcm", inside / "nowhere")
    link(inside / "self.dcm", inside / "self.dcm")
    found = read_folder(inside, workers=0)
    assert [path for path, _ in found.sources] == ["other/b.dcm", "real/a.dcm"]
    assert reasons(found) == {
        "real/up": "a link to a folder that holds it",
        "gone.dcm": "a link that leads nowhere",
        "self.dcm": "a link that leads nowhere",
    }


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.dcm")
    assert reasons(read_folder(tmp_path)) == {"pipe.dcm": "not a regular file"}


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads every folder"
)
def test_a_closed_folder_costs_that_folder(tmp_path: Path, made: ModuleType) -> None:
    made.write(tmp_path / "a.dcm")
    (tmp_path / "closed").mkdir(mode=0)
    found = read_folder(tmp_path, workers=0)
    assert len(found.sources) == 1
    assert "Permission denied" in reasons(found)["closed"]


def test_names_that_are_no_utf8_are_read_and_printable(tmp_path: Path, made: ModuleType) -> None:
    name = os.fsdecode(b"caf\xe9.dcm")
    try:
        made.write(tmp_path / "a.dcm").rename(tmp_path / name)
        (tmp_path / os.fsdecode(b"\xff.dcm")).write_bytes(b"")
    except OSError as problem:
        pytest.skip(f"this file system has UTF-8 names only: {problem}")
    found = read_folder(tmp_path, workers=1)
    assert [path for path, _ in found.sources] == [name]
    assert reasons(found) == {r"\xff.dcm": "zero bytes"}
    assert shown(name) == r"caf\xe9.dcm"


def test_control_characters_in_names_never_reach_a_terminal() -> None:
    assert shown("a\x1b[31m\nb\u202e.dcm") == r"a\x1b[31m\nb\u202e.dcm"


def test_a_folder_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder"):
        read_folder(tmp_path / "none")
    (tmp_path / "a.dcm").write_bytes(b"")
    with pytest.raises(UsageError, match="is a file; give the folder"):
        read_folder(tmp_path / "a.dcm")
    assert read_folder(tmp_path / "..", workers=0) is not None
    (tmp_path / "empty").mkdir()
    assert walk(tmp_path / "empty") == ([], [])


def test_progress_counts_every_file_to_the_last(tmp_path: Path, made: ModuleType) -> None:
    made.patients(tmp_path, "ab")
    seen: list[tuple[int, int]] = []
    for workers in (0, 1):
        read_folder(tmp_path, workers=workers, progress=lambda *step: seen.append(step))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)] * 2


# A child whose decoder dies or hangs by the file's name.
HOSTILE = """
import json, sys; sys.path[:] = json.loads(sys.stdin.buffer.readline())
import os, time
from denoisebench.data.intake import child, dicom
real = dicom.slices
def slices(path):
    if "crash" in path.name: os.abort()
    if "hang" in path.name: time.sleep(60)
    return real(path)
dicom.slices = slices
child.serve()
"""


def test_a_file_that_kills_or_hangs_its_decoder_costs_that_file(
    tmp_path: Path, made: ModuleType, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    made.patients(tmp_path, "ab", slices=3)
    (tmp_path / "a" / "crash.dcm").write_bytes(b"x")
    (tmp_path / "b" / "hang.dcm").write_bytes(b"x")
    monkeypatch.setattr(room._Reader, "CODE", HOSTILE)
    monkeypatch.setattr(room, "SECONDS_PER_FILE", 3.0)
    found = read_folder(tmp_path, workers=1)
    assert len(found.sources) == 6
    assert reasons(found) == {
        "a/crash.dcm": "its decoder crashed",
        "b/hang.dcm": "its decoder took too long",
    }
    assert capfd.readouterr() == ("", "")


def test_where_no_child_can_start_files_are_read_here(
    tmp_path: Path, made: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.patients(tmp_path, "ab", slices=3)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    assert len(read_folder(tmp_path, workers=2).sources) == 6


def test_a_child_that_fails_to_start_says_nothing_and_files_are_read_here(
    tmp_path: Path, made: ModuleType, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    made.patients(tmp_path, "ab", slices=3)
    monkeypatch.setattr(room._Reader, "CODE", "raise ValueError('no')")
    assert len(read_folder(tmp_path, workers=2).sources) == 6
    assert capfd.readouterr() == ("", "")


def test_an_interrupted_reading_leaves_no_child(
    tmp_path: Path, made: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.patients(tmp_path, "abcd", slices=3)
    children: list[subprocess.Popen[bytes]] = []

    class Counted(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: object, **more: object) -> None:
            super().__init__(*args, **more)  # type: ignore[call-overload]
            children.append(self)

    monkeypatch.setattr(subprocess, "Popen", Counted)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_folder(tmp_path, workers=2, progress=interrupt)
    assert children
    assert all(child.poll() is not None for child in children)


def test_a_script_without_a_main_guard_runs_once(tmp_path: Path, made: ModuleType) -> None:
    made.patients(tmp_path / "data", "ab", slices=3)
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\n"
        "from denoisebench.data.intake.folder import walk\n"
        "from denoisebench.data.intake.readers import read_files\n"
        f"folder = Path({str(tmp_path / 'data')!r})\n"
        "print(len(read_files(folder, walk(folder)[0], workers=2)))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("6\n", "", 0)


def test_modules_in_the_data_folder_and_the_current_folder_stay_unimported(
    tmp_path: Path, made: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.patients(tmp_path, "ab", slices=3)
    for name in ("json", "pickle", "numpy", "pydicom", "denoisebench", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    monkeypatch.chdir(tmp_path)
    assert len(read_folder(Path("."), workers=2).sources) == 6
    assert not (tmp_path / "ran").exists()
