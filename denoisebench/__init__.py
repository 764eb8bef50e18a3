"""denoisebench: train and score CT denoisers side by side.

Public names are loaded on first use, so that `import denoisebench` never imports torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from denoisebench.api.board import Leaderboard, leaderboard
    from denoisebench.api.cards import list as list
    from denoisebench.api.evaluation import evaluate
    from denoisebench.api.run import Run, load
    from denoisebench.api.training import train
    from denoisebench.errors import Unavailable, UsageError
    from denoisebench.plugins.mark import baseline, discriminator, generator, loss, metric
    from denoisebench.scoring.weights.store import load_weights

__version__ = "0.1.0"

_HOMES = {
    "train": "api.training",
    "evaluate": "api.evaluation",
    "leaderboard": "api.board",
    "Leaderboard": "api.board",
    "load": "api.run",
    "Run": "api.run",
    "list": "api.cards",
    "generator": "plugins.mark",
    "discriminator": "plugins.mark",
    "loss": "plugins.mark",
    "baseline": "plugins.mark",
    "metric": "plugins.mark",
    "UsageError": "errors",
    "Unavailable": "errors",
    "load_weights": "scoring.weights.store",
}

# Without `list`: a star import must not take Python's own from anybody.
__all__ = [
    "Leaderboard",
    "Run",
    "Unavailable",
    "UsageError",
    "__version__",
    "baseline",
    "discriminator",
    "evaluate",
    "generator",
    "leaderboard",
    "load",
    "load_weights",
    "loss",
    "metric",
    "train",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'denoisebench' has no attribute {name!r}")
    return getattr(import_module(f"denoisebench.{_HOMES[name]}"), name)


def __dir__() -> "Iterable[str]":
    return sorted({*__all__, *_HOMES})
