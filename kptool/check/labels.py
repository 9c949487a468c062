"""Findings about labels as shapes: left and right swapped, and points that do not follow the others of their face."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from kptool.check.expected import Model, energy, learn, surprise
from kptool.check.shapes import LEAST_POINTS, LEAST_ROWS, Aligned, Complexes, align, place
from kptool.check.values import Finding, Item, Part, worst_first
from kptool.dataset import Dataset, Ints, Names
from kptool.geometry import Floats
from kptool.schema import Schema
from kptool.schemes import discover

# The limits were set by looking at flagged rows of the 7049 Kaggle faces and the 2012 of iBUG 300-W.
OFF: Final = 8.0  # standard deviations, see `expected.surprise`
PLACE: Final = 8.0  # robust standard deviations, see `find_odd`
ODD: Final = 8.0  # times the median energy, from which a face may be swapped
USUAL: Final = 6.0  # times the median energy, under which a face is as most are
BETTER: Final = 2.5  # times that the energy must fall by a swap
STEP: Final = 0.8  # of the energy: what must be left at most after swapping one more pair


class Off(NamedTuple):
    """A row with points off: its number, those points from the worst down, the worst one's standard deviations."""

    row: int
    points: tuple[int, ...]
    value: float


class Odd(NamedTuple):
    """A row whose face stands elsewhere or has another size: its number, in which way, robust standard deviations."""

    row: int
    way: str
    value: float


class Judged(NamedTuple):
    """What is told of one marking scheme; swaps are never told of without mirror pairs."""

    swaps: list[Swap]
    off: list[Off]
    odd: list[Odd]


class Swap(NamedTuple):
    """A row whose labels fit once left and right are exchanged.

    Attributes:
        row: its number.
        pairs: the pairs to exchange, as numbers of points; every one for the whole face.
        whole: whether that is every pair that is labelled.
        gain: the energy before over that after.
    """

    row: int
    pairs: tuple[tuple[int, int], ...]
    whole: bool
    gain: float


def findings(part: Part) -> Iterator[Finding]:
    """Swaps and points off, in each marking scheme by itself: schemes may place one name differently."""
    dataset, names = part.dataset, part.dataset.schema.points
    if not names or not dataset.labelled.any():
        return
    scheme = discover(dataset.labelled).assign(dataset.labelled)
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
    swaps = find_swaps(points[:, columns], aligned, model, z.max(1), _pairs(schema, columns))
    swaps = [s._replace(pairs=tuple((int(columns[a]), int(columns[b])) for a, b in s.pairs)) for s in swaps]
    z[[swap.row for swap in swaps]] = 0
    away = []
    for row in np.flatnonzero((z > OFF).any(1)):
        worst = [int(k) for k in np.argsort(-z[row]) if z[row, k] > OFF]
        away.append(Off(int(row), tuple(int(columns[k]) for k in worst), float(z[row, worst[0]])))
    return Judged(swaps, away, find_odd(aligned, frames))


def find_odd(aligned: Aligned, frames: Floats) -> list[Odd]:
    """Faces whose place or size in their frame is far from the set's."""
    size = np.sqrt(np.maximum(frames[:, 2:].prod(1), 1e-12))
    middle = frames[:, :2] + frames[:, 2:] / 2 - 0.5
    across, down = ((aligned.centre.real - middle[:, 0]) / size, (aligned.centre.imag - middle[:, 1]) / size)
    grown = np.log(np.maximum(aligned.radius, 1e-12) / size)
    known = aligned.usable & np.isfinite(frames).all(1) & (frames[:, 2:] > 0).all(1)
    if known.sum() < LEAST_ROWS:
        return []
    values = np.stack([across, down, grown], axis=1)
    away = values - np.median(values[known], axis=0)
    far = np.abs(away[known])
    # As in `expected.surprise`: what one row in twenty does is no surprise. 0.6745 and 1.96 are a Gaussian's quantiles.
    unit = np.maximum(np.median(far, axis=0) / 0.6745, np.quantile(far, 0.95, axis=0) / 1.96)
    z = np.where(known[:, None], np.abs(away) / np.maximum(unit, 0.01), 0.0)
    out = []
    for row in np.flatnonzero((z > PLACE).any(1)):
        worst = int(z[row].argmax())
        way = ("left", "right", "higher", "lower", "smaller", "larger")[2 * worst + int(away[row, worst] > 0)]
        out.append(Odd(int(row), way, float(z[row, worst])))
    return out


def find_swaps(
    points: Floats, aligned: Aligned, model: Model, worst: Floats, pairs: list[tuple[int, int]]
) -> list[Swap]:
    """Rows that become as most are once some pairs, or all, are exchanged; `worst` (N,) is their largest surprise."""
    z: Complexes = points[..., 0] + 1j * points[..., 1]
    before = energy(model, aligned.off)
    median = float(np.nanmedian(before))
    odd = np.flatnonzero((np.nan_to_num(before) > max(ODD * median, 1e-12)) | (worst > OFF))
    out = []
    for row in odd:
        there = [(a, b) for a, b in pairs if np.isfinite(z[row, [a, b]]).all()]
        if not there:
            continue
        best, after = _untangle(z[row], there, aligned, model, float(before[row]))
        if best and after < USUAL * median and after * BETTER < before[row]:
            gain = float(before[row]) / max(after, 1e-12)
            out.append(Swap(int(row), tuple(sorted(best)), len(best) == len(there), gain))
    return out


def _untangle(
    face: Complexes, pairs: list[tuple[int, int]], aligned: Aligned, model: Model, start: float
) -> tuple[list[tuple[int, int]], float]:
    """The pairs whose exchange leaves the least energy, and what it leaves: all of them, or one by one."""
    (whole,) = _energies(_exchanged(face, [pairs]), aligned, model)
    done: list[tuple[int, int]] = []
    left, now = list(pairs), start
    while left:
        tried = _energies(_exchanged(face, [[*done, pair] for pair in left]), aligned, model)
        best = int(tried.argmin())
        if tried[best] > STEP * now:
            break
        now = float(tried[best])
        done.append(left.pop(best))
    return (list(pairs), float(whole)) if whole <= now else (done, now)


def _exchanged(face: Complexes, choices: list[list[tuple[int, int]]]) -> Complexes:
    """(C, K) the face with the pairs of each choice exchanged."""
    out = np.repeat(face[None], len(choices), axis=0)
    for row, pairs in zip(out, choices, strict=True):
        for a, b in pairs:
            row[a], row[b] = face[b], face[a]
    return out


def _energies(z: Complexes, aligned: Aligned, model: Model) -> Floats:
    return energy(model, place(z, aligned.mean, aligned.spread))


def _frames(dataset: Dataset) -> Floats:
    """(N, 4) each face's box, or its whole picture where no row has a box."""
    if dataset.boxes is not None:
        return dataset.boxes
    sizes = dataset.sizes.astype(np.float64)
    return np.concatenate([np.zeros_like(sizes), sizes], axis=1)


def _pairs(schema: Schema, columns: Ints) -> list[tuple[int, int]]:
    """The mirror pairs as places in `columns`."""
    where = {int(column): k for k, column in enumerate(columns)}
    return [(where[k], where[m]) for k, m in enumerate(schema.mirror) if k < m and k in where and m in where]
