"""What registry/README.md shows works as it stands, and README.md shows the same."""

from pathlib import Path

from denoisebench.plugins.card import KINDS
from denoisebench.plugins.contracts import check
from denoisebench.plugins.expression import canonical, resolve
from denoisebench.plugins.find import find

ROOT = Path(__file__).parents[2]
README = ROOT / "registry" / "README.md"


def blocks(language: str, path: Path = README) -> list[str]:
    parts = path.read_text(encoding="utf-8").split("```")[1::2]
    return [part.partition("\n")[2] for part in parts if part.partition("\n")[0] == language]


def test_the_loss_of_the_readme_keeps_every_contract(tmp_path: Path) -> None:
    path = tmp_path / "log_cosh.py"
    path.write_text(blocks("python")[0], encoding="utf-8")
    catalogue = find([path])
    card = catalogue.get("loss", "log_cosh")
    assert card.weight == 100
    assert [outcome for outcome in check(card) if outcome.status != "passed"] == []
    expressions = [line.partition("--loss ")[2].strip('"') for line in blocks("")[0].splitlines()]
    shown = [canonical(resolve(text, "loss", catalogue)) for text in expressions]
    assert shown == ["log_cosh", "cgan + 50*log_cosh(turn=0.02)"]
    assert canonical(resolve("cgan + log_cosh", "loss", catalogue)) == "cgan + 100*log_cosh"


def test_both_readmes_show_the_same_loss() -> None:
    assert blocks("python", ROOT / "README.md")[0] == blocks("python")[0]


def test_the_readme_shows_every_kind() -> None:
    text = README.read_text(encoding="utf-8")
    assert all(f'`@{kind}("' in text for kind in KINDS)
