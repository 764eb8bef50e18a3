"""The live board: what it shows of many runs on a screen of some size."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from denoisebench.cli.sweep_board import SweepBoard, clock
from denoisebench.fleet.job import Job, News
from denoisebench.fleet.sweep import Standing
from denoisebench.training.log import Record
from denoisebench.training.recipe import Recipe

METHODS = [
    (f"{generator}", loss)
    for generator in ("unet7", "resunet", 'unet7(norm="batch", dropout=0.0)')
    for loss in ("l1", "cgan + 100*l1", "lsgan + 100*l1 + 10*ssim(window=7)")
]
LAST = Record(1680, 0.42, 100.0, 1e-3, 16.4, {"cgan": 0.693, "l1": 0.0312}, 24.11)
REASON = "ValueError: " + "shapes differ and " * 20


def jobs(count: int) -> list[Job]:
    found = []
    for number in range(count):
        generator, loss = METHODS[number % len(METHODS)]
        recipe = Recipe(
            generator=generator, loss=loss, seed=number // len(METHODS), minutes=4, batch=1,
            patch=256, learning_rate=1e-3, task="ct-sigma50", task_version=1, data="phantom",
            data_digest="0", split_digest="0", plugins={},
        )  # fmt: skip
        found.append(Job(str(number), recipe.method, recipe))
    return found


def board(count: int, width: int = 100, height: int = 30, terminal: bool = True) -> SweepBoard:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=terminal,
                      color_system=None)  # fmt: skip
    wanted = jobs(count)
    return SweepBoard(wanted, {job.name: Standing("to do") for job in wanted}, console=console)


def drawn(shown: SweepBoard) -> list[str]:
    console = Console(file=io.StringIO(), width=shown.console.width, color_system=None)
    console.print(shown.render())
    return console.file.getvalue().splitlines()


def printed(shown: SweepBoard) -> list[str]:
    return shown.console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 100, 140, 220])
@pytest.mark.parametrize("count", [3, 90])
def test_it_fits_the_screen_whatever_the_screen(count, width):
    shown = board(count, width)
    for number in range(min(count, 20)):
        state = ("running", "failed", "diverged", "done")[number % 4]
        shown.tell(News(str(number), "running", "a-long-host-name cuda:3", record=LAST))
        shown.tell(News(str(number), state, "a-long-host-name cuda:3", reason=REASON
                        if state in ("failed", "diverged") else None))  # fmt: skip
    lines = drawn(shown)
    assert len(lines) <= shown.console.height - 1
    assert max(map(len, lines)) <= width


def test_a_running_run_shows_all_that_is_known_where_there_is_room():
    shown = board(3, 160)
    shown.tell(News("1", "running", "cuda:3", record=LAST))
    header, _, running, waiting, _, totals = drawn(shown)
    assert header.split() == ["run", "seed", "state", "progress", "step", "images/s", "val", "dB",
                              "losses", "where", "left"]  # fmt: skip
    words = ["unet7", "·", "cgan", "+", "100*l1", "0", "running", "━━━─────", "42%", "1680", "16.4",
             "24.11", "cgan", "0.693", "l1", "0.0312", "cuda:3", "2:18"]  # fmt: skip
    assert running.split() == words
    assert waiting.split()[-1] == "waiting"
    # what runs needs 0.58 of four minutes, the other two all of theirs
    assert totals == "3 runs: 0 done, 1 running, 2 waiting · 0:00 so far · about 10:19 left"


def test_the_last_validation_stays_between_two_of_them():
    shown = board(3)
    shown.tell(News("1", "running", "cpu", record=LAST))
    shown.tell(News("1", "running", "cpu", record=replace(LAST, step=1700, validation_psnr=None)))
    assert "1700" in drawn(shown)[2]
    assert "24.11" in drawn(shown)[2]


def test_of_more_runs_than_lines_running_ones_come_first_then_what_went_wrong():
    shown = board(90, height=12)
    for number in range(40):
        shown.tell(News(str(number), "done", "cpu"))
    shown.tell(News("50", "failed", "cpu", reason="it broke"))
    shown.tell(News("60", "running", "cpu", record=LAST))
    shown.tell(News("61", "running", "cpu", doing="scoring, 3 of 40"))
    _, *rows, rest, _, totals = drawn(shown)
    states = [word for row in rows for word in row.split() if word in
              ("running", "failed", "done", "waiting")]  # fmt: skip
    assert states[:4] == ["running", "running", "failed", "done"]
    assert "scoring, 3 of 40 on cpu" in "".join(rows)
    assert "it broke" in rows[2]
    assert rest == "… and 37 done, 47 waiting"
    assert totals.startswith("90 runs: 40 done, 1 failed, 2 running, 47 waiting")


def test_runs_of_one_name_are_told_apart():
    first, *_ = jobs(1)
    other = Job("other", first.method, first.recipe.model_copy(update={"learning_rate": 1e-4}))
    both = [first, other]
    shown = SweepBoard(both, {job.name: Standing("to do") for job in both})
    assert [line.label for line in shown.lines.values()] == [
        "unet7 · l1 (learning_rate 0.001)", "unet7 · l1 (learning_rate 0.0001)",
    ]  # fmt: skip


def test_a_failure_is_printed_in_full_and_nothing_in_it_acts_on_the_terminal():
    shown = board(3, 80)
    shown.tell(News("0", "failed", "cpu", reason="no\x1b[2J " + "word " * 40))
    (line,) = printed(shown)
    assert line.startswith("unet7 · l1, seed 0: failed, no\N{REPLACEMENT CHARACTER}[2J word")
    assert line.endswith("word word")
    assert "\x1b" not in "".join(drawn(shown))


def test_elsewhere_than_on_a_terminal_a_line_tells_each_change_and_no_more():
    shown = board(2, terminal=False)
    with shown:
        shown.tell(News("0", "running", "cpu", doing="opening data"))
        for step in range(100):
            shown.tell(News("0", "running", "cpu", record=replace(LAST, step=step)))
        shown.tell(News("0", "done", "cpu"))
        shown.tell(News("1", "waiting", "cpu", reason="in use"))
        shown.tell(News("1", "waiting", "cpu", reason="in use"))
    assert printed(shown) == [
        "0 of 2  unet7 · l1, seed 0: running on cpu, opening data",
        "1 of 2  unet7 · l1, seed 0: done, 42 %, step 99, validation 24.11 dB",
        "1 of 2  unet7 · cgan + 100*l1, seed 0: waiting, in use",
    ]


@pytest.mark.parametrize(("seconds", "told"), [
    (0.4, "0:00"), (59.6, "1:00"), (3723, "1:02:03"), (86_400 * 2 + 3600 * 3, "2 d 03 h"),
])  # fmt: skip
def test_times_are_short(seconds, told):
    assert clock(seconds) == told
