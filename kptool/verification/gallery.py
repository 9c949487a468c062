"""Pairs of faces drawn side by side in a terminal, several pairs in a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kptool.dataset import Ints
from kptool.geometry import Bytes
from kptool.report.half_blocks import GAP, can_show, cells_of
from kptool.report.pen import ORANGE, Pen
from kptool.verification.values import PairRow
from kptool.verification.words import who, with_sign

Pictures = Callable[[Ints], Bytes]
NARROWEST, WIDEST = 19, 30  # cells of one face
BETWEEN = 1  # cell between the faces of a pair


def rows_of_pairs(pen: Pen, title: str, rows: Sequence[PairRow], pictures: Pictures, lines: int) -> RenderableType:
    """As many pairs as fit beside each other in so many lines, each with its answer, its confidence and its name.

    Args:
        pictures: (n,) rows of the data's pictures -> (n, C, H, W) uint8, as the model is shown them.
    """
    fitting = max(1, min(len(rows), (pen.room + GAP) // (2 * NARROWEST + BETWEEN + GAP)))
    face = min(((pen.room + GAP) // fitting - GAP - BETWEEN) // 2, WIDEST)
    kept = rows[: lines * fitting]
    drawn = pictures(np.array([[row.first_image, row.second_image] for row in kept], dtype=np.int64).reshape(-1))
    grid = Table.grid(padding=(0, GAP, 0, 0), pad_edge=False)
    for _ in range(fitting):
        grid.add_column(width=2 * face + BETWEEN, overflow="fold")
    for start in range(0, len(kept), fitting):
        if start:
            grid.add_row()
        some = range(start, min(start + fitting, len(kept)))
        grid.add_row(*(_two(pen, drawn[2 * at : 2 * at + 2], face) for at in some))
        grid.add_row(*(_caption(pen, kept[at]) for at in some))
    notes = ["as the model sees them", *([] if can_show(pen) else ["no colours here, so in characters"])]
    return Group(pen.section(title, *notes), grid)


def _two(pen: Pen, images: Bytes, width: int) -> Table:
    grid = Table.grid(padding=(0, BETWEEN, 0, 0), pad_edge=False)
    for _ in images:
        grid.add_column(width=width)
    drawn = (cells_of(pen, image, width) for image in images)
    grid.add_row(*(Text("\n").join([pen.line(*row) for row in rows]) for rows in drawn))
    return grid


def _caption(pen: Pen, row: PairRow) -> Text:
    right = row.same == row.decision
    words = f"said {who(row.decision)}, {'right' if right else f'is {who(row.same)}'}"
    lines = [
        pen.line(pen.text(with_sign(row.confidence), "bold"), pen.text(f" {words}", "" if right else ORANGE)),
        pen.text(row.first, "dim"),
        pen.text(row.second, "dim"),
    ]
    return Text("\n", overflow="fold").join(lines)
