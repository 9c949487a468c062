"""Scores of same pairs and of different ones, as bars up and down from one axis."""

from __future__ import annotations

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from kptool.dataset import Ints
from kptool.report.pen import BLUE, ORANGE, Pen
from kptool.report.words import count, figure
from kptool.verification.values import Histogram

HEIGHT = 6  # cells, each way
UP, DOWN = " ▄█", " ▀█"  # none, half and all of a cell, from below and from above
UP_ASCII, DOWN_ASCII = " .#", " '#"
THRESHOLD = "┆"


def histogram(pen: Pen, made: Histogram) -> RenderableType:
    """Scores of same pairs upwards and of different ones downwards, both to one scale, the threshold marked."""
    margin = len(count(max(*made.same, *made.different))) + 1
    same, different = (_cells(counts, pen.room - margin - 1) for counts in (made.same, made.different))
    most = max(1, same.max(), different.max())
    labels = [count(int(most)), *[""] * (HEIGHT - 1), "0", *[""] * (HEIGHT - 1), count(int(most))]
    signs = (UP_ASCII, DOWN_ASCII) if pen.ascii else (UP, DOWN)
    up, down = (_bars(counts / most, sign) for counts, sign in zip((same, different), signs, strict=True))
    rows = [*((row, BLUE) for row in reversed(up)), ("─" * len(same), "dim"), *((row, ORANGE) for row in down)]
    low, high = made.edges[0], made.edges[-1]
    cut = round(min(max((made.threshold - low) / ((high - low) or 1), 0), 1) * (len(same) - 1))
    lines = []
    for label, (row, style) in zip(labels, rows, strict=True):
        parts = pen.text(row[:cut], style), pen.text(THRESHOLD, "bold"), pen.text(row[cut + 1 :], style)
        lines.append(pen.line(pen.text(f"{label:>{margin - 1}} │", "dim"), *parts))
    ends = figure(low), figure(high)
    foot = f"{ends[0]}{'score':^{len(same) - sum(map(len, ends))}}{ends[1]}"
    lines.append(pen.text(f"{'':{margin + 1}}{foot}", "dim"))
    title = pen.section("Scores", "up same, down different")
    return Group(title, Text("\n").join(lines), *_legend(pen, made))


def _cells(counts: tuple[int, ...], room: int) -> Ints:
    """Counts (b,) spread over `room` cells; where there are more of them, neighbours are added up first."""
    joined = -(-len(counts) // room)
    padded = np.zeros(-(-len(counts) // joined) * joined, dtype=np.int64)
    padded[: len(counts)] = counts
    summed: Ints = padded.reshape(-1, joined).sum(1)
    cells: Ints = summed[np.arange(room) * len(summed) // room]
    return cells


def _bars(heights: Ints, signs: str) -> list[str]:
    """Bars of heights (w,) from 0 to 1, a row a line from the axis outwards; what is not 0 is seen."""
    halves = np.ceil(heights * 2 * HEIGHT)
    filled = np.clip(halves - 2 * np.arange(HEIGHT)[:, None], 0, 2).astype(int)
    return ["".join(signs[cell] for cell in row) for row in filled]


def _legend(pen: Pen, made: Histogram) -> list[Text]:
    told = (("same person", made.same, BLUE), ("different people", made.different, ORANGE))
    keys = [
        pen.line(pen.text("██", style), pen.text(f" {name}, {count(sum(counts))} pairs"))
        for name, counts, style in told
    ]
    return [*keys, pen.line(pen.text(f"{THRESHOLD} ", "bold"), pen.text(f" threshold {figure(made.threshold, 3)}"))]
