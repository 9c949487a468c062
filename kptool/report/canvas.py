"""A picture made of characters: dots of Braille, two across and four down in a cell, or ASCII where that is all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from rich.text import Text

from kptool.geometry import Floats
from kptool.report.pen import Pen

ACROSS, DOWN = 2, 4  # dots in a cell; a cell is twice as high as wide, so dots are square
# Bits of Unicode's Braille patterns, U+2800 to U+28FF, by row and column of a cell's dots.
BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])


class Ink(NamedTuple):
    """What a line is drawn with.

    Attributes:
        style: rich's.
        plain: the character of a cell it passes through, in a console without Unicode.
        dash: dots drawn and left out in turn; (1, 0) draws all.
    """

    style: str
    plain: str
    dash: tuple[int, int] = (1, 0)


class Canvas:
    """Cells to draw on. Dots are counted from 0 at the top left, x to the right, y down; what lies outside is left out.

    Args:
        width, height: in cells.
    """

    def __init__(self, pen: Pen, width: int, height: int) -> None:
        self._pen = pen
        self.width, self.height = width, height
        self._dots = np.zeros((height * DOWN, width * ACROSS), dtype=np.bool_)
        self._ink: dict[tuple[int, int], Ink] = {}
        self._marks: dict[tuple[int, int], Text] = {}

    def path(self, xs: Sequence[float], ys: Sequence[float], ink: Ink) -> None:
        """A line through dots (xs, ys), which may be fractions; it breaks where one is NaN."""
        places = np.stack([np.asarray(xs, dtype=float), np.asarray(ys, dtype=float)], axis=1)
        gone = 0.0  # so that dashes keep their rhythm over many short pieces
        for start, end in pairwise(places):
            if np.isfinite([start, end]).all():
                gone = self._line(start, end, ink, gone)

    def mark(self, column: int, row: int, text: str, style: str = "") -> None:
        """Put a character into a cell, over any line."""
        if 0 <= column < self.width and 0 <= row < self.height:
            self._marks[column, row] = self._pen.text(text, style)

    def free(self, column: int, row: int) -> bool:
        """True for a cell of the canvas without a mark."""
        return 0 <= column < self.width and 0 <= row < self.height and (column, row) not in self._marks

    def lines(self) -> list[Text]:
        """The rows, from the top, each as wide as the canvas."""
        return [Text("").join([self._cell(column, row) for column in range(self.width)]) for row in range(self.height)]

    def _line(self, start: Floats, end: Floats, ink: Ink, gone: float) -> float:
        """Draw a piece of a path; how long that is by then, in dots of its longer axis."""
        length = float(np.abs(end - start).max())
        along = np.linspace(0, 1, 1 + max(1, math.ceil(length)))
        drawn = (gone + along * length) % sum(ink.dash) < ink.dash[0]
        for x, y in np.round(start + (end - start) * along[drawn, None]).astype(int):
            if 0 <= x < self._dots.shape[1] and 0 <= y < self._dots.shape[0]:
                self._dots[y, x] = True
                self._ink[int(x) // ACROSS, int(y) // DOWN] = ink
        return gone + length

    def _cell(self, column: int, row: int) -> Text:
        if mark := self._marks.get((column, row)):
            return mark
        ink = self._ink.get((column, row))
        if ink is None:
            return Text(" ")
        if self._pen.ascii:
            return Text(ink.plain, ink.style)
        dots = self._dots[row * DOWN : (row + 1) * DOWN, column * ACROSS : (column + 1) * ACROSS]
        return Text(chr(0x2800 + int(BITS[dots].sum())), ink.style)
