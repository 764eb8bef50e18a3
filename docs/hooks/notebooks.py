"""Write a page of each notebook when the documentation is built: its text, code and outputs."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from nbconvert import MarkdownExporter


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add `notebooks/NAME.md` and its pictures, which are no files of the repository."""
    for path in sorted(Path(config.docs_dir, "notebooks").glob("*.ipynb")):
        text, resources = MarkdownExporter().from_filename(str(path))
        for name, content in resources["outputs"].items():
            text = text.replace(f"]({name})", f"]({path.stem}-{name})")
            uri = f"notebooks/{path.stem}-{name}"
            files.append(File.generated(config, uri, content=content))
        text = text.replace("![png](", "![What the cell above shows](")
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=text))
    return files
