"""Curves of a run: its training log, the health of its GAN, and what physics found."""

import math
from collections.abc import Iterable, Mapping, Sequence

from matplotlib.figure import Figure

from denoisebench.board.page.figures.plots import Plot, label_decades
from denoisebench.board.page.figures.svg import COLOURS, house_style, inline, plain
from denoisebench.scoring.result import Curve, Finding
from denoisebench.training.log import Record

Line = tuple[list[float], list[float]]
MOST_POINTS = 400  # of a curve: a figure is 560 pixels wide
MOST_LINES = 6
DASHES: tuple[str | tuple[int, tuple[int, ...]], ...] = (
    "-", (0, (6, 2)), (0, (2, 2)), (0, (6, 2, 2, 2)), (0, (9, 3)), (0, (1, 1)))  # fmt: skip
SHARES = ("real_accuracy", "fake_accuracy", "saturated")
RATIOS = ("gradient_ratio", "output_spread")


def training_curves(records: Sequence[Record]) -> tuple[Plot, ...]:
    """Draw losses, validation PSNR and, where the log holds it, the GAN's health."""
    names = dict.fromkeys(name for record in records for name in _mapping(record.losses))
    losses = {name: _line(records, "losses", name) for name in names}
    validation = {"validation psnr": _line(records, "validation_psnr")}
    shares = {name.replace("_", " "): _line(records, "health", name) for name in SHARES}
    ratios = {name.replace("_", " "): _line(records, "health", name) for name in RATIOS}
    drawn = [
        _figure("losses", "Losses", losses, "step", "loss, unweighted", log=True),
        _figure("validation", "Validation", validation, "step", "PSNR (dB)"),
        _figure("game", "Critic", shares, "step", "share of logits", limits=(0, 1)),
        _figure("balance", "Balance of the GAN", ratios, "step", "ratio", log=True),
    ]
    return tuple(plot for plot in drawn if plot)


def finding_curves(finding: Finding, name: str) -> tuple[Plot, ...]:
    """Draw what an audit measured along an axis; curves with the same axes share a plot.

    Args:
        finding: an audit's or physics' result.
        name: prefix of the figures' ids.
    """
    groups: dict[tuple[str, str], dict[str, Line]] = {}
    for label, curve in finding.curves.items():
        groups.setdefault((curve.x_label, curve.y_label), {})[label] = _points(curve)
    drawn = [
        _figure(f"{name}{number}", y, lines, x, y)
        for number, ((x, y), lines) in enumerate(groups.items())
    ]
    return tuple(plot for plot in drawn if plot)


def _points(curve: Curve) -> Line:
    return _finite(zip(curve.x, curve.y, strict=False))


def _line(records: Iterable[Record], field: str, name: str | None = None) -> Line:
    """One quantity over steps. A log is not checked when it is read: only numbers are taken."""
    pairs = []
    for record in records:
        value = getattr(record, field, None)
        pairs.append((record.step, _mapping(value).get(name) if name else value))
    return _finite(pairs)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _finite(pairs: Iterable[tuple[object, object]]) -> Line:
    kept = [(float(x), float(y)) for x, y in pairs if _number(x) and _number(y)]  # type: ignore[arg-type]
    every = max(1, math.ceil(len(kept) / MOST_POINTS))
    kept = kept[::every] + (kept[-1:] if (len(kept) - 1) % every else [])
    return [x for x, _ in kept], [y for _, y in kept]


def _number(value: object) -> bool:
    """Whether a value can be drawn: a scale of 300 decades takes matplotlib minutes."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return value == 0 or 1e-30 < abs(value) < 1e30


def _figure(
    name: str,
    title: str,
    lines: Mapping[str, Line],
    x_label: str,
    y_label: str,
    *,
    log: bool = False,
    limits: tuple[float, float] | None = None,
) -> Plot | None:
    shown = {label: line for label, line in lines.items() if len(line[0]) > 1}
    if not shown:
        return None
    with house_style():
        figure = Figure(figsize=(5.6, 3.4), layout="constrained")
        axes = figure.subplots()
        for number, (label, (x, y)) in enumerate(list(shown.items())[:MOST_LINES]):
            axes.plot(x, y, color=COLOURS[f"line-{number}"], linestyle=DASHES[number],
                      linewidth=1.8, label=plain(label, 40).lstrip("_") or "?")  # fmt: skip
        if log and all(value > 0 for _, y in shown.values() for value in y):
            axes.set_yscale("log")
            label_decades(axes.yaxis)
        if limits:
            axes.set_ylim(limits[0] - 0.03, limits[1] + 0.03)
        axes.set_xlabel(plain(x_label, 60))
        axes.set_ylabel(plain(y_label, 60))
        if len(shown) > 1:
            axes.legend(loc="best")
        svg = inline(figure, name, f"{title}: {', '.join(shown)}", {})
    return Plot(plain(title, 60), svg, "", tuple(list(shown)[MOST_LINES:]))
