"""Execute the notebooks of the documentation, each in an empty folder, and write their outputs.

`python docs/notebooks/execute.py --check` writes nothing; a cell that raises ends either with 1.
"""

import asyncio
import re
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

HERE = Path(__file__).parent
SECONDS = 600  # for a cell
CELL = re.compile(r"(?:/[\w.@+-]+)+/\d+\.py:(?=\d+: )")  # where a kernel says that a cell stands


def executed(path: Path) -> NotebookNode:
    """Execute a notebook.

    Raises:
        CellExecutionError: a cell raised.
    """
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(
            notebook,
            timeout=SECONDS,
            kernel_name="python3",
            record_timing=False,
            resources={"metadata": {"path": folder}},
        ).execute()
    return notebook


def cleaned(notebook: NotebookNode) -> NotebookNode:
    """Leave out what differs from one execution to the next, or says whose machine it was."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{number}", {}
        for output in cell.get("outputs", ()):
            if "text" in output:
                output.text = CELL.sub("this cell, line ", output.text)
    return notebook


def main() -> int:
    """Execute all notebooks."""
    if sys.platform == "win32":
        asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())
    for path in sorted(HERE.glob("*.ipynb")):
        try:
            notebook = executed(path)
        except CellExecutionError as error:
            print(f"{path.name}: {error}", file=sys.stderr)
            return 1
        if "--check" not in sys.argv[1:]:
            nbformat.write(cleaned(notebook), path)
            print(f"{path.name}: {path.stat().st_size / 1024:.0f} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
