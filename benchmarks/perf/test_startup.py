"""How soon the command line answers: its help, its lists, and to mistakes.

python -m pytest benchmarks/perf/test_startup.py --benchmark-only
"""

import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = str(Path(sys.executable).with_name("denoisebench"))
PROMISED = {"--help": 0.3, "list": 0.4, "run --gen unet77": 0.4, "run --help": 0.4}


@pytest.mark.parametrize("words", PROMISED)
def test_the_command_line(benchmark, compared, words):
    answer = benchmark.pedantic(
        subprocess.run,
        ([COMMAND, *words.split()],),
        {"capture_output": True, "check": False},
        rounds=9,
        warmup_rounds=1,
    )
    assert answer.returncode == (2 if "unet77" in words else 0), answer.stderr
    ratio = benchmark.stats["median"] / PROMISED[words]
    compared(ratio, beside=f"{PROMISED[words]} s promised", target=1.0, at_most=True)
