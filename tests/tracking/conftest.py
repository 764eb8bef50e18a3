"""Tests of trackers share a bench and readers, with scripts that run in processes of their own."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_bench import make_bench, make_recipe

from denoisebench.scoring.run import Bench
from denoisebench.training.recipe import Recipe


@pytest.fixture
def bench(tmp_path, monkeypatch) -> Bench:
    monkeypatch.setenv("DENOISEBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "wandb-cache"))
    monkeypatch.delenv("WANDB_MODE", raising=False)
    return make_bench(tmp_path)


@pytest.fixture
def recipe(bench) -> Recipe:
    return make_recipe(bench)
