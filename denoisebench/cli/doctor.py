"""denoisebench doctor."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import rich_click as click

from denoisebench.cli import options
from denoisebench.home import anonymous


@dataclass(frozen=True)
class Finding:
    """One fact about this machine; `mend` says what to do where something is wrong."""

    what: str
    value: str
    mend: str = ""


@click.command()
@options.as_json
def doctor(as_json: bool) -> int:
    """Say what this machine has, and what is wrong with it."""
    findings = [
        Finding(*(anonymous(text) for text in (found.what, found.value, found.mend)))
        for found in _findings()
    ]
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        from rich.console import Console
        from rich.markup import escape

        console = Console(soft_wrap=True, highlight=False)
        for finding in findings:
            sign = "[yellow]![/]" if finding.mend else "[green]✓[/]"
            console.print(f"{sign} {finding.what:<14} {escape(finding.value)}")
            if finding.mend:
                console.print(f"  {'':<14} → {escape(finding.mend)}")
    return 1 if any(finding.mend for finding in findings) else 0


def _findings() -> Iterator[Finding]:
    import platform

    import torch

    from denoisebench.home import home
    from denoisebench.plugins.find import find
    from denoisebench.scoring.environment import environment
    from denoisebench.scoring.weights import known, store

    facts = environment()
    yield Finding("python", platform.python_version())
    yield Finding("torch", f"{torch.__version__}, {torch.get_num_threads()} threads")
    for number, name in enumerate(facts["gpus"]):
        yield Finding("device", f"cuda:{number}, {name}")
    if not facts["gpus"]:
        yield Finding("device", "cpu; no CUDA device, so training is slow")
    yield Finding("cores", str(facts["cores"]))
    yield _torchvision()
    missing = [name for name, version in facts["packages"].items() if version is None]
    reinstall = "pip install --force-reinstall denoisebench" if missing else ""
    yield Finding(
        "packages", f"missing: {', '.join(missing)}" if missing else "all there", reinstall
    )
    yield Finding("cache folder", str(home()))
    for entry in store.listing():
        mend = "" if entry.present else known.mend(entry.name)
        yield Finding("weights", f"{entry.name} {'present' if entry.present else 'missing'}", mend)
    catalogue = find()
    yield Finding("plug-ins", f"{len(catalogue.cards)} found")
    for problem in catalogue.problems:
        yield Finding("plug-in", str(problem.path), problem.reason)
    for card in catalogue.cards:
        if card.licence:
            yield Finding("licence", f"{card.name}: {card.licence}")


def _torchvision() -> Finding:
    """Say whether torchvision fits torch; timm and piq import it."""
    from denoisebench import compat

    compat.prepare()
    try:
        import torchvision
    except (ImportError, RuntimeError, OSError) as error:
        return Finding("torchvision", f"{error}", "install the torchvision that matches torch")
    return Finding("torchvision", str(torchvision.__version__))
