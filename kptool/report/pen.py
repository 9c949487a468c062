"""What the terminal report is drawn with: text that stays text, bars of block characters, and bare tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.constrain import Constrain
from rich.table import Table
from rich.text import Text

BLUE, ORANGE = "#0087d7", "bold #d75f00"  # told apart by colour-blind eyes, readable on black and on white
EIGHTHS = " ▏▎▍▌▋▊▉"
ARROWS = "→↘↓↙←↖↑↗"
# For consoles that are not Unicode. An arrow only repeats the signs of the numbers beside it, so it may go.
ASCII = str.maketrans(
    {"·": "|", "±": "+/-", "×": "x", "–": "-", "█": "#", "━": "#", "─": "-"} | dict.fromkeys(ARROWS, " ")
)


@dataclass(frozen=True)
class Pen:
    """Makes the pieces of a report for one console: its width, its encoding."""

    console: Console

    @property
    def ascii(self) -> bool:
        """True where the console's encoding is not Unicode."""
        return self.console.options.ascii_only

    def text(self, words: str, style: str = "") -> Text:
        r"""Words as they are, on one line: never markup, and what is not printable here is spelt out, as in \x1b."""
        spelt = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)
        if self.ascii:
            encoding = self.console.encoding
            spelt = spelt.translate(ASCII).encode(encoding, "backslashreplace").decode(encoding)
        return Text(spelt, style, overflow="fold")

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
        gap = 1 if self.console.width < 100 else 2
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

    def width(self, table: Table) -> int:
        """Cells a table would like to be wide."""
        return self.console.measure(table, options=self.console.options.update(max_width=10_000)).maximum

    def flow(self, items: Sequence[str], style: str = "") -> Text:
        """Items with a dot between them, broken into lines between items."""
        lines: list[str] = []
        for item in (self.text(item).plain for item in items):
            if lines and cell_len(f"{lines[-1]} · {item}") <= self.console.width:
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
        return Constrain(grid, 110)
