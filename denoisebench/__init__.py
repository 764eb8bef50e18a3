"""denoisebench: train and score CT denoisers side by side.

Public names are loaded on first use, so that `import denoisebench` never imports torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from denoisebench.errors import Unavailable, UsageError
    from denoisebench.plugins.mark import baseline, discriminator, generator, loss, metric
    from denoisebench.scoring.weights.store import load_weights

__version__ = "0.1.0"

_HOMES = {
    "generator": "plugins.mark",
    "discriminator": "plugins.mark",
    "loss": "plugins.mark",
    "baseline": "plugins.mark",
    "metric": "plugins.mark",
    "UsageError": "errors",
    "Unavailable": "errors",
    "load_weights": "scoring.weights.store",
}

__all__ = [
    "Unavailable",
    "UsageError",
    "__version__",
    "baseline",
    "discriminator",
    "generator",
    "load_weights",
    "loss",
    "metric",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'denoisebench' has no attribute {name!r}")
    return getattr(import_module(f"denoisebench.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
