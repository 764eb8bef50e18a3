"""By what a baseline's row is called."""

from types import SimpleNamespace

from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import find
from denoisebench.scoring import denoisers
from denoisebench.scoring.classical import baseline_key
from denoisebench.task import load_task


def test_another_release_of_the_package_behind_it_is_another_row(monkeypatch):
    dataset = SimpleNamespace(digest="d", split_digest="s")
    bench = SimpleNamespace(dataset=dataset, task=load_task("ct-sigma50"), catalogue=find())
    (part,) = resolve("nlm(h=0.5)", "baseline", bench.catalogue)
    before = baseline_key(bench, part)
    assert baseline_key(bench, part) == before
    monkeypatch.setattr(denoisers, "version", lambda package: f"{package} 99")
    assert baseline_key(bench, part) != before
