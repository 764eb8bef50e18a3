"""Options that several commands share."""

from pathlib import Path

import rich_click as click

plugin = click.option(
    "--plugin",
    "plugins",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="A Python file with plug-ins of your own; repeatable.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print facts as JSON.")
