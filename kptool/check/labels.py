"""Findings about labels as shapes: left and right swapped, and points that do not follow the others of their face."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from kptool.check.expected import learn, surprise
from kptool.check.shapes import LEAST_POINTS, LEAST_ROWS, align
from kptool.check.stands import PLACE, Odd, find_odd
from kptool.check.swaps import Swap, find_swaps
from kptool.check.values import Finding, Item, Part, worst_first
from kptool.crop import whole_images
from kptool.dataset import Dataset, Ints, Names
from kptool.geometry import Floats
from kptool.schema import Schema
from kptool.schemes import discover

# The limits were set by looking at flagged rows of the 7049 Kaggle faces and the 2012 of iBUG 300-W.
OFF: Final = 8.0  # standard deviations, see `expected.surprise`


class Off(NamedTuple):
    """A row with points off: its number, those points from the worst down, the worst one's standard deviations."""

    row: int
    points: tuple[int, ...]
    value: float


class Judged(NamedTuple):
    """What is told of one marking scheme; swaps are never told of without mirror pairs."""

    swaps: list[Swap]
    off: list[Off]
    odd: list[Odd]


def findings(part: Part) -> Iterator[Finding]:
    """Swaps and points off, in each marking scheme by itself: schemes may place one name differently."""
    dataset, names = part.dataset, part.dataset.schema.points
    if not names or not dataset.labelled.any():
        return
    scheme = discover(dataset.labelled, mirror=dataset.schema.mirror).assign(dataset.labelled)
    swapped, off, odd = [], [], []
    frames = _frames(dataset)
    for number in np.unique(scheme):
        rows = np.flatnonzero(scheme == number)
        found = judge(dataset.points[rows], dataset.ids[rows], dataset.schema, frames[rows])
        for swap in found.swaps:
            pairs = ", ".join(f"{names[a]} / {names[b]}" for a, b in swap.pairs)
            text = f"the whole face ({len(swap.pairs)} pairs)" if swap.whole else pairs
            swapped.append(Item((part.row(int(rows[swap.row])),), text, swap.gain))
        for row, points, value in found.off:
            more = f" and {len(points) - 1} more" if len(points) > 1 else ""
            off.append(Item((part.row(int(rows[row])),), f"{names[points[0]]}{more}", value))
        odd += [Item((part.row(int(rows[one.row])),), one.way, one.value) for one in found.odd]
    if swapped:
        yield Finding(
            "left-right-swap",
            "warning",
            "left and right seem exchanged; times nearer to the set's shapes once put right",
            "look at the picture and exchange the labels; left is the side that the other rows call so",
            worst_first(swapped),
        )
    if off:
        yield Finding(
            "off-shape",
            "warning",
            f"points far from where the face's other points put them; over {OFF:g} standard deviations of the set",
            "look at the picture: the label is wrong, or the face is unlike all others",
            worst_first(off),
        )
    if odd:
        yield Finding(
            "odd-place",
            "warning",
            "faces that stand elsewhere in their box or picture than the others, or are far smaller or larger; over "
            f"{PLACE:g} standard deviations of the set",
            "look at the picture: the labels are of another face, or the picture is cut unlike all others",
            worst_first(odd),
        )


def judge(points: Floats, ids: Names, schema: Schema, frames: Floats) -> Judged:
    """Hold labels (N, K, 2) of one marking scheme against their common shape.

    Args:
        frames: (N, 4) the boxes that faces stand in: left, top, width, height of the pixels covered; NaN = not known.
    """
    labelled = np.asarray(np.isfinite(points).all(-1))
    columns = np.flatnonzero(labelled[labelled.sum(1) >= LEAST_POINTS].sum(0) >= LEAST_ROWS)
    if len(columns) < LEAST_POINTS or (aligned := align(points[:, columns], ids)) is None:
        return Judged([], [], [])
    model = learn(aligned.mean, aligned.off, aligned.spread)
    z = np.nan_to_num(surprise(model, aligned.off))
    swaps = find_swaps(points[:, columns], aligned, model, z.max(1) > OFF, _pairs(schema, columns))
    swaps = [s._replace(pairs=tuple((int(columns[a]), int(columns[b])) for a, b in s.pairs)) for s in swaps]
    z[[swap.row for swap in swaps]] = 0
    away = []
    for row in np.flatnonzero((z > OFF).any(1)):
        worst = [int(k) for k in np.argsort(-z[row]) if z[row, k] > OFF]
        away.append(Off(int(row), tuple(int(columns[k]) for k in worst), float(z[row, worst[0]])))
    return Judged(swaps, away, find_odd(aligned, frames))


def _frames(dataset: Dataset) -> Floats:
    """(N, 4) each face's box, or its whole picture where no row has a box."""
    if dataset.boxes is not None:
        return dataset.boxes
    return whole_images(dataset.sizes)


def _pairs(schema: Schema, columns: Ints) -> list[tuple[int, int]]:
    """The mirror pairs as places in `columns`."""
    where = {int(column): k for k, column in enumerate(columns)}
    return [(where[k], where[m]) for k, m in enumerate(schema.mirror) if k < m and k in where and m in where]
