"""A matplotlib figure as an SVG that is a part of a page: its colours, its fonts, and nothing its policy forbids.

The page's Content-Security-Policy allows no style attribute, so what matplotlib writes as one becomes attributes of
its own. Colours are written as stand-ins and become CSS variables, which is how one drawing serves light and dark.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from xml.etree import ElementTree

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kptool.page.spelling import spelt

WIDTH: Final = 320.0  # pt; a figure is shown between this and half as much again
NARROW: Final = 285.0  # of figures that stand three in a row
_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_NAMES = ("ink", "muted", "line", "paper", "c0", "c1", "c2", "c3", "c4", "c5")
_STAND_INS = {f"#0000{n + 1:02x}": f"var(--{name})" for n, name in enumerate(_NAMES)}
INK, MUTED, LINE, PAPER, *SERIES = _STAND_INS
_STYLE: Any = {  # what the keys may be differs between versions of matplotlib
    "svg.fonttype": "none",
    "svg.hashsalt": "kptool",
    "text.parse_math": False,  # a point may be called $x$
    "axes.unicode_minus": True,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.labelsize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "legend.handlelength": 1.6,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "none",
    "figure.constrained_layout.w_pad": 2 / 72,
    "figure.constrained_layout.h_pad": 2 / 72,
}
_NOTHING: dict[str, Any] = dict.fromkeys(("Date", "Creator", "Format", "Type"))


@contextmanager
def drawing(height: float, width: float = WIDTH) -> Iterator[tuple[Figure, Axes]]:
    """A figure of `width` x `height` pt with one pair of axes, in the page's style."""
    with rc_context(_STYLE):
        figure = Figure(figsize=(width / 72, height / 72), layout="constrained")
        yield figure, figure.subplots()


def to_svg(figure: Figure, key: str, title: str, described: str, tips: Mapping[str, str] | None = None) -> Markup:
    """The figure as an element of HTML.

    Args:
        key: unlike that of any other figure of the page; begins its ids.
        title: what it shows, for who cannot see it.
        described: what it says, in words with figures.
        tips: words that show over parts, by their gid.
    """
    with rc_context(_STYLE):
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata=_NOTHING)
    root = ElementTree.fromstring(buffer.getvalue())
    for parent in root.iter():
        for child in [c for c in parent if c.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style")]:
            parent.remove(child)
    for element in root.iter():
        _restyle(element)
    _tell(root, tips or {})
    _name(root, key)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    root.set("aria-labelledby", f"{key}-title {key}-words")
    for place, (tag, text, suffix) in enumerate((("title", title, "title"), ("desc", described, "words"))):
        told = ElementTree.Element(f"{{{_SVG}}}{tag}", {"id": f"{key}-{suffix}"})
        told.text = spelt(text)
        root.insert(place, told)
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _restyle(element: ElementTree.Element) -> None:
    """The style attribute as attributes; fonts are the page's own."""
    style = element.attrib.pop("style", "")
    for rule in filter(None, (part.strip() for part in style.split(";"))):
        name, _, value = (part.strip() for part in rule.partition(":"))
        if name == "font" and (size := re.search(r"([\d.]+)px", value)):
            name, value = "font-size", size[1]
        if name not in ("font", "font-family", "stroke-miterlimit"):
            element.set(name, _STAND_INS.get(value, value).removesuffix("px") if name == "font-size" else value)
    for name, value in element.attrib.items():
        element.set(name, _STAND_INS.get(value, value))


def _tell(root: ElementTree.Element, tips: Mapping[str, str]) -> None:
    for element in root.iter():
        if (words := tips.get(element.get("id", ""))) is not None:
            tip = ElementTree.Element(f"{{{_SVG}}}title")
            tip.text = spelt(words)
            element.insert(0, tip)


def _name(root: ElementTree.Element, key: str) -> None:
    """Ids that are pointed at begin with `key`; others go."""
    text = ElementTree.tostring(root, encoding="unicode")
    pointed = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', text))
    for element in root.iter():
        name = element.attrib.pop("id", "")
        if name in pointed:
            element.set("id", f"{key}-{name}")
        for attribute, value in list(element.attrib.items()):
            if attribute.endswith("href") and value.startswith("#"):
                element.set(attribute, f"#{key}-{value[1:]}")
            elif value.startswith("url(#"):
                element.set(attribute, value.replace("url(#", f"url(#{key}-"))
