"""denoisebench data."""

import rich_click as click


@click.group()
def data() -> None:
    """Prepare, list, verify or fetch CT data."""
