"""The decorators that turn a function or class into a plug-in.

A decorator attaches what it was given and returns the object unchanged: no list is appended to, so
importing a plug-in file has no effect on anything but itself. Cards are read from the source (see
`card.py`); the attribute lets `load.py` find the object by the name that users type.
"""

from collections.abc import Callable
from typing import TypeVar

Plugin = TypeVar("Plugin", bound=Callable[..., object])


def _marker(kind: str) -> Callable[..., Callable[[Plugin], Plugin]]:
    def mark(name: str, **facts: object) -> Callable[[Plugin], Plugin]:
        def attach(plugin: Plugin) -> Plugin:
            plugin.__denoisebench__ = (kind, name, facts)  # type: ignore[attr-defined]
            return plugin

        return attach

    mark.__name__ = mark.__qualname__ = kind
    mark.__doc__ = f"Mark a {kind}: the name is what users type, the facts stand on its card."
    return mark


generator = _marker("generator")
discriminator = _marker("discriminator")
loss = _marker("loss")
baseline = _marker("baseline")
metric = _marker("metric")
