"""denoisebench new."""

import json
from pathlib import Path

import rich_click as click

from denoisebench.cli import options
from denoisebench.errors import UsageError

USED_BY = {
    "loss": "denoisebench run --gen resunet --plugin {file} --loss {name}",
    "adversarial": 'denoisebench run --gen resunet --plugin {file} --loss "{name} + l1"',
    "penalty": 'denoisebench run --gen resunet --plugin {file} --loss "cgan + l1 + {name}"',
    "generator": "denoisebench run --plugin {file} --gen {name} --loss l1",
    "discriminator": "denoisebench run --gen resunet --plugin {file} --disc {name} --loss cgan+l1",
    "baseline": "denoisebench run --plugin {file} --baseline {name}",
}


@click.command()
@click.argument("kind", metavar="KIND")
@click.argument("name")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Folder to write to; the current one by default.",
)
@options.as_json
def new(kind: str, name: str, out: Path, as_json: bool) -> None:
    """Write a working plug-in with comments, and its test.

    KIND is loss, adversarial, penalty, generator, discriminator, baseline or metric.
    """
    from denoisebench.plugins import new as writer
    from denoisebench.plugins.find import find

    known = writer.KINDS.get(kind)
    taken = [card for card in find().cards if (card.kind, card.name) == (known, name)]
    if taken:
        raise UsageError(f"there is a {known} named {name!r} already, in {taken[0].path}")
    plugin, test = writer.write(kind, name, out)
    if as_json:
        click.echo(json.dumps({"plugin": str(plugin), "test": str(test)}))
        return
    click.echo(f"wrote {plugin} and {test}")
    click.echo(f"check it:  denoisebench check {plugin}")
    if kind in USED_BY:
        click.echo(f"use it:    {USED_BY[kind].format(file=plugin, name=name)}")
    else:
        click.echo(f"use it:    name it under metrics in a task file, and give --plugin {plugin}")
