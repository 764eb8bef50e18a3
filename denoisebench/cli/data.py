"""denoisebench data."""

import rich_click as click

from denoisebench.cli.data_fetch import fetch


@click.group()
def data() -> None:
    """Prepare, list, verify or fetch CT data."""


data.add_command(fetch)
