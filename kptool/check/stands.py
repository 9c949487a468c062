"""Faces that stand elsewhere in their box or picture than the others, or have another size."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from kptool.check.shapes import LEAST_ROWS, Aligned
from kptool.geometry import Floats

PLACE: Final = 10.0  # robust standard deviations, set by looking at flagged rows of the 7049 Kaggle faces


class Odd(NamedTuple):
    """A row whose face stands elsewhere or has another size: its number, in which way, robust standard deviations."""

    row: int
    way: str
    value: float


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
