"""denoisebench: train and score CT denoisers side by side.

Public names are loaded on first use, so that `import denoisebench` never imports torch.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOMES = {
    "generator": "plugins.mark",
    "discriminator": "plugins.mark",
    "loss": "plugins.mark",
    "baseline": "plugins.mark",
    "metric": "plugins.mark",
    "UsageError": "errors",
    "Unavailable": "errors",
    "load_weights": "scoring.weights",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'denoisebench' has no attribute {name!r}")
    return getattr(import_module(f"denoisebench.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
