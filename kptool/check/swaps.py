"""Faces whose labels fit the set's shapes once left and right are exchanged."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from kptool.check.expected import Model, energy
from kptool.check.shapes import Aligned, Complexes, place
from kptool.dataset import Mask
from kptool.geometry import Floats

# Set on the labels of the 7049 Kaggle faces and the 2012 of iBUG 300-W: none is flagged, planted swaps are.
ODD: Final = 8.0  # times the median energy, from which a face may be swapped
USUAL: Final = 6.0  # times the median energy, under which a face is as most are
BETTER: Final = 2.5  # times that the energy must fall by a swap
STEP: Final = 0.8  # of the energy: what must be left at most after swapping one more pair


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


def find_swaps(points: Floats, aligned: Aligned, model: Model, off: Mask, pairs: list[tuple[int, int]]) -> list[Swap]:
    """Rows that become as most are once some pairs, or all, are exchanged; `off` (N,) are rows with points off."""
    z: Complexes = points[..., 0] + 1j * points[..., 1]
    before = energy(model, aligned.off)
    median = float(np.nanmedian(before))
    odd = np.flatnonzero((np.nan_to_num(before) > max(ODD * median, 1e-12)) | off)
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
