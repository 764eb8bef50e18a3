"""Write the page of committed boards from their results when the documentation is built."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from denoisebench.board import board, render

ROOT = Path(__file__).parents[2] / "benchmarks"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add results.md, which is no file of the repository."""
    files.append(File.generated(config, "results.md", content=page()))
    return files


def page() -> str:
    """Each folder of results: the sweep that made it, and its board as `leaderboard` prints it."""
    parts = [
        "# Boards",
        "What the sweeps in `benchmarks/boards/` gave. Every row is a run whose scores, recipe and "
        "log stand in `benchmarks/results/`; every table is what "
        "`denoisebench leaderboard benchmarks/results/NAME --format md` prints.",
    ]
    for folder in sorted(path for path in (ROOT / "results").iterdir() if path.is_dir()):
        if not (sweep := sweep_of(folder.name)).exists():
            continue  # rows that others submitted
        entries, problems = board.collect(folder)
        assert not problems, problems
        parts += [f"## {folder.name}", f"```toml\n{sweep.read_text(encoding='utf-8')}```"]
        parts.append(render.markdown(board.boards(entries)))
    return "\n\n".join(parts) + "\n"


def sweep_of(name: str) -> Path:
    """The file that makes a board; a board that needs presets of its own has a folder."""
    alone = ROOT / "boards" / f"{name}.toml"
    return alone if alone.exists() else ROOT / "boards" / name / "sweep.toml"
