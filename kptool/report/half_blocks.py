"""Small pictures of faces in a terminal: two pixels to a cell where there is colour, else shading characters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from rich.console import Group, RenderableType
from rich.style import Style
from rich.table import Table
from rich.text import Text

from kptool.dataset import Ints
from kptool.drawing import ANSWER, LABEL
from kptool.geometry import Bytes, Floats, resize
from kptool.report.pen import Pen
from kptool.report.values import Face, Report
from kptool.report.words import amount
from kptool.resample import cut

HALF = "▀"  # its colour is the upper pixel's, its background's the lower one's
SHADES = " .:-=+*#%@"  # dark to bright on a dark terminal
WIDTH = 23  # cells of a picture at least
MOST = 20  # points that are all marked; of more only the FURTHEST are, or nothing is seen of the face
FURTHEST = 8
GAP = 2
TALLEST = 2.0  # times as high as wide; what is higher is made narrower


@dataclass(frozen=True)
class Portrait:
    """One face as its model was shown it.

    Attributes:
        image: (C, H, W) uint8, C = 1 or 3 (RGB).
        label, answer: (K, 2) in px of the image; NaN where there is none.
        worst: the point of `face.worst_point`.
    """

    face: Face
    image: Bytes
    label: Floats
    answer: Floats
    worst: int


@dataclass(frozen=True)
class Gallery:
    """The pictures of a report, the worst first and the best first; `why` says why there are none where asked for."""

    worst: tuple[Portrait, ...] = ()
    best: tuple[Portrait, ...] = ()
    why: str = ""


NONE: Final = Gallery()


def can_show(pen: Pen) -> bool:
    """Whether this console shows pictures in many colours."""
    console = pen.console
    return console.color_system in ("truecolor", "256") and not console.no_color and not pen.ascii


def row_of_pictures(pen: Pen, report: Report, title: str, portraits: Sequence[Portrait]) -> RenderableType:
    """As many faces as fit beside each other, each with its name, its error and its worst point."""
    fitting = max(1, min(len(portraits), (pen.room + GAP) // (WIDTH + GAP)))
    width = min((pen.room - GAP * (fitting - 1)) // fitting, 2 * WIDTH)
    grid = Table.grid(padding=(0, GAP, 0, 0), pad_edge=False)
    for _ in range(fitting):
        grid.add_column(width=width, overflow="fold")
    kept = portraits[:fitting]
    grid.add_row(*(picture(pen, one, width) for one in kept))
    grid.add_row(*(_caption(pen, report, one.face) for one in kept))
    some = f" of the {FURTHEST} worst points" if len(portraits[0].label) > MOST else ""
    notes = ["as the model sees them", f"o label, x prediction{some}, O and X the worst"]
    return Group(pen.section(title, *notes, *([] if can_show(pen) else ["no colours here, so in characters"])), grid)


def _caption(pen: Pen, report: Report, face: Face) -> Text:
    unit = report.lead.score.unit
    lines = [
        pen.text(face.id, "bold"),
        pen.text(f"{report.lead.score.name} {amount(face.lead, unit)}"),
        pen.text(face.worst_point, "dim"),
        pen.text(f"{face.worst_distance:.1f} px off", "dim"),
    ]
    return Text("\n", overflow="fold").join(lines)


def cells_of(pen: Pen, image: Bytes, width: int) -> list[list[Text]]:
    """The rows of a picture (C, H, W) uint8, `width` cells wide at most, in its own shape."""
    high, wide = image.shape[1:]
    across = max(1, min(width, round(width * TALLEST * wide / high)))
    down = max(1, round(across * high / wide / 2))
    small = cut(np.moveaxis(image, 0, -1), resize((wide, high), (across, 2 * down)), (across, 2 * down))
    small = np.moveaxis(np.broadcast_to(small, (3, 2 * down, across)), 0, -1)
    draw = _in_colour if can_show(pen) else _in_shades
    return [[draw(small[2 * row : 2 * row + 2, column]) for column in range(across)] for row in range(down)]


def picture(pen: Pen, portrait: Portrait, width: int) -> Text:
    """A face `width` cells wide at most, in its own shape, label and answer marked."""
    rows = cells_of(pen, portrait.image, width)
    marks = _marks(portrait, (len(rows[0]), len(rows)))
    for (column, row), (sign, colour) in marks.items():
        style = Style.parse(f"bold #000000 on {_hex(np.array(colour))}") if can_show(pen) else Style(bold=True)
        rows[row][column] = Text(sign, style)
    return Text("\n").join([Text("").join(row) for row in rows])


def _marks(portrait: Portrait, cells: tuple[int, int]) -> dict[tuple[int, int], tuple[str, tuple[int, int, int]]]:
    """The signs by their cells; where two fall together the later is seen: answers over labels, the worst over all."""
    size = np.array(portrait.image.shape[:0:-1])
    marks = {}
    away = np.nan_to_num(np.linalg.norm(portrait.answer - portrait.label, axis=1), nan=-1)
    worst = np.arange(len(away)) == portrait.worst
    shown = np.argsort(np.argsort(-away)) < (FURTHEST if len(away) > MOST else MOST)
    for rows, small in ((shown & ~worst, True), (worst, False)):
        for points, sign, colour in ((portrait.label, "o", LABEL), (portrait.answer, "x", ANSWER)):
            for column, row in _cells(points[rows], size, cells):
                marks[int(column), int(row)] = (sign if small else sign.upper(), colour)
    return marks


def _cells(points: Floats, size: Ints, cells: tuple[int, int]) -> Ints:
    """Which cells points fall into; the centre of the first pixel is (0, 0). Those outside the picture are left out."""
    places = np.floor((points[np.isfinite(points).all(1)] + 0.5) / size * cells).astype(np.int64)
    return places[((places >= 0) & (places < cells)).all(1)]


def _in_colour(pixels: Bytes) -> Text:
    return Text(HALF, Style.parse(f"{_hex(pixels[0])} on {_hex(pixels[1])}"))


def _in_shades(pixels: Bytes) -> Text:
    return Text(SHADES[min(len(SHADES) - 1, math.floor(float(pixels.mean()) / 256 * len(SHADES)))])


def _hex(colour: Bytes | Ints) -> str:
    return f"#{''.join(f'{int(value):02x}' for value in colour)}"
