"""Benchmarks are programs, not a package."""

import sys
from pathlib import Path

PERF = Path(__file__).parents[2] / "benchmarks" / "perf"
sys.path[:0] = [str(PERF), str(PERF / "step")]
