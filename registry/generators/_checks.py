"""What several networks refuse in the same words: numbers of layers, and sides of slices."""

from torch import Tensor

from denoisebench import UsageError


def check_counts(name: str, least: int = 1, **knobs: int | tuple[int, ...]) -> None:
    """Refuse a knob that is, or holds, anything but whole numbers of at least `least`."""
    for knob, value in knobs.items():
        numbers = value if isinstance(value, tuple) else (value,)
        if not all(type(number) is int and number >= least for number in numbers):
            raise UsageError(
                f"{name} takes whole numbers of at least {least} for {knob}, got {value}"
            )


def check_sides(name: str, noisy: Tensor, multiple: int) -> None:
    """Refuse (B, 1, H, W) whose sides do not divide by `multiple`."""
    height, width = noisy.shape[-2:]
    if height % multiple or width % multiple:
        raise UsageError(
            f"{name} needs sides divisible by {multiple}, got {height} × {width}; "
            "let evaluation pad"
        )
