"""Matplotlib figures as SVG inside a page: its colours, its font, links that have names.

Styles become attributes, since the page's security policy forbids inline styles; colours become the
style sheet's variables, so that dark mode and print reach into a figure.
"""

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
COLOURS = {
    "ink": "#000001", "rule": "#000002", "paper": "#000003", "network": "#000011",
    "gan": "#000012", "baseline": "#000013", "blend": "#000014",
    **{f"line-{number}": f"#00002{number}" for number in range(6)},
}  # fmt: skip
"""Names of the style sheet's variables → what stands for them while matplotlib draws."""


def _style(colours: Mapping[str, str]) -> Any:
    return {
        "svg.fonttype": "none",  # text stays text
        "svg.hashsalt": "denoisebench",  # the same figure, the same bytes
        "text.parse_math": False,  # a name may hold a dollar
        "font.size": 11,
        "axes.unicode_minus": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": colours["ink"],
        "axes.labelcolor": colours["ink"],
        "axes.facecolor": "none",
        "figure.facecolor": "none",
        "text.color": colours["ink"],
        "xtick.color": colours["ink"],
        "ytick.color": colours["ink"],
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": colours["rule"],
        "grid.linewidth": 0.8,
        "legend.frameon": False,
        "legend.fontsize": 10,
    }


@contextmanager
def house_style(colours: Mapping[str, str] = COLOURS) -> Iterator[None]:
    """Draw in the page's style, whatever the user's matplotlibrc says.

    Args:
        colours: those that stand for the style sheet's, or `light()` for a file of its own.
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_style(colours))
        yield


def light() -> dict[str, str]:
    """Read the light colours of the page from its style sheet, by their names in `COLOURS`."""
    sheet = (Path(__file__).parents[1] / "assets" / "page.css").read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for name, colour in re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", sheet):
        found.setdefault(name, colour)  # dark ones come later
    return {name: found[name] for name in COLOURS}


def plain(text: str, longest: int = 200) -> str:
    """Drop what XML cannot hold, and the end of what is too long for a figure."""
    kept = "".join(letter for letter in text if letter.isprintable())
    return kept if len(kept) <= longest else kept[: longest - 1] + "…"


def inline(figure: Figure, name: str, label: str, titles: Mapping[str, str]) -> Markup:
    """Turn a figure into SVG for a page.

    Args:
        figure: drawn in `house_style`, with `COLOURS`.
        name: prefix of its ids, unique on the page; safe letters.
        label: what a screen reader calls it.
        titles: id of an artist that has a link → the link's name, also shown on hover.
    """
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    root = ElementTree.fromstring(file.getvalue())
    for parent in root.iter():
        for child in list(parent):
            if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style"):
                parent.remove(child)
    for group in root.iter(f"{{{SVG}}}g"):
        if title := titles.get(group.get("id", "")):
            _name_links(group, plain(title))
    for element in root.iter():
        _themed(element)
        _prefixed(element, name)
    for key in ("width", "height"):
        root.attrib.pop(key, None)
    root.attrib.update({"role": "group", "aria-label": plain(label), "class": "plot"})
    ElementTree.register_namespace("", SVG)
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # ElementTree escapes all text


def _name_links(group: ElementTree.Element, title: str) -> None:
    for link in group.iter(f"{{{SVG}}}a"):
        link.attrib.pop("target", None)
        link.set("aria-label", title)
        said = ElementTree.Element(f"{{{SVG}}}title")
        said.text = title
        link.insert(0, said)


_VARIABLES = {colour: f"var(--{name})" for name, colour in COLOURS.items()}


def _themed(element: ElementTree.Element) -> None:
    """Write a style's declarations as attributes, colours as variables; of a font only its size."""
    declarations = dict(_pairs(element.attrib.pop("style", "")))
    font = declarations.pop("font", "")
    if size := re.search(r"([\d.]+)px", font):
        declarations["font-size"] = size[1]
    if element.tag == f"{{{SVG}}}text":
        declarations.setdefault("fill", COLOURS["ink"])
    for key, value in declarations.items():
        element.set(key, _VARIABLES.get(value, value))


def _pairs(style: str) -> Iterator[tuple[str, str]]:
    for declaration in filter(str.strip, style.split(";")):
        key, _, value = declaration.partition(":")
        yield key.strip(), value.strip()


def _prefixed(element: ElementTree.Element, name: str) -> None:
    """Keep ids of several figures apart, and write links as HTML does."""
    if own := element.get("id"):
        element.set("id", f"{name}-{own}")
    for key in ("clip-path", "fill"):
        if (value := element.get(key, "")).startswith("url(#"):
            element.set(key, value.replace("url(#", f"url(#{name}-"))
    if link := element.attrib.pop(f"{{{XLINK}}}href", None):
        element.set("href", f"#{name}-{link[1:]}" if link.startswith("#") else link)
