"""What the terminal report is drawn with: text that stays text, bars of block characters, and bare tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.table import Table
from rich.text import Text

from kptool.report.words import printable

BLUE, ORANGE = "#0087d7", "bold #d75f00"  # told apart by colour-blind eyes, readable on black and on white
# Few to many, from blue over grey to orange: one axis that every eye tells apart, each at 3:1 on black and on white.
RAMP = ("#0087d7", "#5f87af", "#878787", "#af8700", "bold #d75f00")
FILLED = "○◔◑◕●"  # the same steps by shape
EIGHTHS = " ▏▎▍▌▋▊▉"
WIDEST = 28  # cells of a bar
HEIGHTS = "▁▂▃▄▅▆▇█"
ARROWS = "→↘↓↙←↖↑↗"
# For consoles that are not Unicode. An arrow only repeats the signs of the numbers beside it, so it may go.
ASCII = str.maketrans(
    {"·": "|", "±": "+/-", "×": "x", "–": "-", "█": "#", "━": "#", "─": "-", "│": "|", "└": "+", "┆": ":", "°": " deg"}
    | dict(zip(FILLED, "12345", strict=True))
    | dict(zip(HEIGHTS, "_.-~=+*#", strict=True))
    | dict.fromkeys(ARROWS, " ")
)


@dataclass(frozen=True)
class Pen:
    """Makes the pieces of a report for one console: its width, its encoding.

    Attributes:
        cells: the width to keep to, where it is less than the console's.
    """

    console: Console
    cells: int | None = None

    @property
    def room(self) -> int:
        """Cells that a line may fill."""
        return self.console.width if self.cells is None else self.cells

    @property
    def ascii(self) -> bool:
        """True where the console's encoding is not Unicode."""
        return self.console.options.ascii_only

    def text(self, words: str, style: str = "") -> Text:
        r"""Words as they are, on one line: never markup, and what is not printable here is spelt out, as in \x1b."""
        spelt = printable(words)
        if self.ascii:
            encoding = self.console.encoding
            spelt = spelt.translate(ASCII).encode(encoding, "backslashreplace").decode(encoding)
        return Text(spelt, style, overflow="fold")

    def line(self, *parts: Text) -> Text:
        """Texts after each other, each in its own style."""
        return Text("").join(parts)

    def bar(self, fraction: float, width: int) -> Text:
        """A bar over `fraction` of `width` cells, to an eighth of a cell; none for NaN."""
        eighths = self._cells(fraction, width, 8)
        return self.text(("█" * (eighths // 8) + EIGHTHS[eighths % 8]).rstrip(), BLUE)

    def gauge(self, fraction: float, width: int) -> Text:
        """A thin bar over `fraction` of a track of `width` cells, to half a cell; a bare track for NaN."""
        halves = self._cells(fraction, width, 2)
        done = "━" * (halves // 2) + "╸" * (halves % 2)
        return self.text(done, BLUE).append(self.text("─" * (width - len(done)), "dim"))

    def _cells(self, fraction: float, width: int, steps: int) -> int:
        """How many of a cell's `steps` are covered; without Unicode only whole cells can be drawn."""
        covered = 0.0 if math.isnan(fraction) else min(max(fraction, 0), 1) * width
        return round(covered) * steps if self.ascii else round(covered * steps)

    def table(self, *heads: str) -> Table:
        """A table without lines. A head is "title" or "title/unit"; with < before it, its column is left-aligned."""
        gap = 1 if self.room < 100 else 2
        table = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False, header_style="dim")
        for head in heads:
            title, _, unit = head.removeprefix("<").partition("/")
            # Only left-aligned columns hold names, and only names may be folded when all is too wide.
            table.add_column(
                Text("\n").join([self.text(title), self.text(unit)]),
                justify="left" if head[:1] == "<" else "right",
                no_wrap=head[:1] != "<",
            )
        return table

    def spark(self, values: Sequence[float], width: int, log: bool = True) -> Text:
        """How values went, in `width` cells at most: their logarithms from lowest to highest, or values from 0."""
        shown = np.array(values, dtype=np.float64)
        if log:
            shown = np.log(np.where(shown > 0, shown, np.nan))
        parts = np.array_split(shown, min(width, len(shown))) if len(shown) else []
        means = np.array([part[np.isfinite(part)].mean() if np.isfinite(part).any() else math.nan for part in parts])
        low, high = (np.nanmin(means), np.nanmax(means)) if np.isfinite(means).any() else (0.0, 0.0)
        low = low if log else min(low, 0.0)
        steps = (means - low) / (high - low if high > low else 1) * (len(HEIGHTS) - 1)
        return self.text("".join(" " if math.isnan(step) else HEIGHTS[round(step)] for step in steps), BLUE)

    def fit(self, make: Callable[[int], Table], room: int, least: int, most: int = WIDEST) -> Table:
        """The table of `make` with bars as wide as `room` leaves them, from `least` to `most` cells."""
        return make(max(least, min(most, least + room - self.width(make(least)))))

    def beside(self, *blocks: RenderableType, gap: int = 4) -> RenderableType:
        """Blocks in a row where all fit, else one under the other."""
        widths = [self.width(block) for block in blocks]
        if sum(widths) + gap * (len(blocks) - 1) > self.room:
            return Group(*[part for block in blocks for part in ("", block)][1:])
        grid = Table.grid(padding=(0, gap, 0, 0), pad_edge=False)
        for width in widths:
            grid.add_column(width=width)
        grid.add_row(*blocks)
        return grid

    def width(self, block: RenderableType) -> int:
        """Cells a table, or another block, would like to be wide."""
        return self.console.measure(block, options=self.console.options.update(max_width=10_000)).maximum

    def flow(self, items: Sequence[str], style: str = "") -> Text:
        """Items with a dot between them, broken into lines between items."""
        lines: list[str] = []
        for item in (self.text(item).plain for item in items):
            if lines and cell_len(f"{lines[-1]} · {item}") <= self.room:
                lines[-1] = f"{lines[-1]} · {item}"
            else:
                lines.append(item)
        return Text("\n").join([self.text(line, style) for line in lines])

    def section(self, title: str, *notes: str) -> Text:
        """A title with its notes."""
        text = self.flow([title, *notes], "dim")
        text.stylize("not dim bold", 0, len(self.text(title)))
        return text

    def hang(self, label: str, words: str, style: str) -> RenderableType:
        """A paragraph beside its label, no wider than is easy to read."""
        grid = Table.grid(padding=(0, 1))
        grid.add_row(self.text(label, style), self.text(words))
        return Constrain(grid, min(110, self.room))
