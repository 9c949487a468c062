"""How far labels lie from the shape that the set shares, whatever the position, size and tilt of each face.

Points are complex numbers x + iy here: a similarity without reflection is then one product and one sum, z = a·m + b.
Least squares of it is Umeyama's solution in the plane ("Least-squares estimation of transformation parameters between
two point patterns", PAMI 1991). It is solved again with weights, so that one wrong point does not pull the others off.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from kptool.dataset import Mask, Names
from kptool.geometry import Floats

Complexes = npt.NDArray[np.complex128]

LEAST_POINTS: Final = 4  # labelled in a row: a similarity takes up two, and one may be wrong
LEAST_ROWS: Final = 20  # under which a median is no shape
ROUNDS: Final = 6
STARTS: Final = 4
RAYLEIGH: Final = 1.1774  # median length of a vector whose two coordinates have standard deviation 1: sqrt(2 ln 2)
SOFT: Final = 3.0  # standard deviations at which a point's weight is a half (Cauchy)
SHARPEST: Final = 1e-4  # of the face's radius: smallest standard deviation, or drawn faces would have none


@dataclass(frozen=True)
class Aligned:
    """Faces brought onto their mean shape.

    Attributes:
        mean: (K,) the mean shape about 0, its root mean square radius 1; NaN where no row has the point.
        off: (N, K) each point less its place in the mean shape brought onto this face, in units of the face's radius
            and in the mean shape's directions; NaN where not labelled.
        spread: (K,) robust standard deviation of `off` per coordinate.
        centre: (N,) px, where the mean shape's middle stands in each picture, whichever points are labelled.
        radius: (N,) px, root mean square distance of the whole shape's points from its middle.
        usable: (N,) whether a row has points enough to be aligned.
    """

    mean: Complexes
    off: Complexes
    spread: Floats
    centre: Complexes
    radius: Floats
    usable: Mask


def align(points: Floats, ids: Names) -> Aligned | None:
    """Align faces (N, K, 2) by similarities to their common median shape, from several starts; the best counts.

    Args:
        ids: (N,) unique; they choose the starts, so that the order of rows does not.

    Returns:
        None where fewer than 20 rows have 4 points.
    """
    z: Complexes = points[..., 0] + 1j * points[..., 1]
    usable = np.isfinite(z).sum(1) >= LEAST_POINTS
    usable &= (np.abs(z - _middle(z)) > 0).any(1)
    if usable.sum() < LEAST_ROWS:
        return None
    best: Aligned | None = None
    for mean in _starts(z, ids, usable):
        found = _settle(z, mean, usable)
        if best is None or np.nansum(found.spread) < np.nansum(best.spread) * 0.99:
            best = found
    return best


def fit(z: Complexes, mean: Complexes, weight: Floats) -> tuple[Complexes, Complexes, Floats]:
    """Off (N, K), centre and radius (N,) of faces against one shape, see `Aligned`; weights (N, K), 0 = not used."""
    w = weight / np.maximum(weight.sum(1, keepdims=True), 1e-300)
    here, there = np.nan_to_num(z), np.nan_to_num(mean)[None]
    middle, centre = (w * here).sum(1, keepdims=True), (w * there).sum(1, keepdims=True)
    here, there = here - middle, there - centre
    power = np.maximum((w * np.abs(there) ** 2).sum(1, keepdims=True), 1e-12)
    turn = (w * there.conj() * here).sum(1, keepdims=True) / power
    size = np.sqrt((w * np.abs(here) ** 2).sum(1, keepdims=True) / power)
    length = np.abs(turn)
    direction = np.where(length > 0, turn / np.maximum(length, 1e-300), 1)
    off = (here - turn * there) / (np.maximum(size, 1e-300) * direction)
    # A point that the shape does not have yet is compared with 0: its place in the shape's frame comes out.
    return np.where(np.isfinite(z), off, np.nan), (middle - size * direction * centre)[:, 0], size[:, 0]


def place(z: Complexes, mean: Complexes, spread: Floats) -> Complexes:
    """Off (N, K) of faces brought onto a known mean shape, with far points weighted down."""
    weight = (np.isfinite(z) & np.isfinite(mean)).astype(np.float64)
    off = fit(z, mean, weight)[0]
    for _ in range(ROUNDS):
        off = fit(z, mean, weights(off, spread))[0]
    return off


def weights(off: Complexes, spread: Floats) -> Floats:
    """(N, K) how much each point counts: less where it is far off; 0 for NaN.

    One scale for all points: with one for each, those that vary least would be fitted ever more closely. A row's own
    median is the least scale for it, so that half of its points always count, and never one alone.
    """
    length = np.abs(off)
    with warnings.catch_warnings():  # of rows without labels
        warnings.simplefilter("ignore", RuntimeWarning)
        least = np.nan_to_num(np.nanmedian(length, axis=1, keepdims=True))
    unit = np.maximum(SOFT * np.nanmedian(spread), least)
    return np.asarray(np.nan_to_num(1 / (1 + np.minimum(length / unit, 1e6) ** 2)))


def _starts(z: Complexes, ids: Names, usable: Mask) -> list[Complexes]:
    """Shapes to start from: the median of the upright faces, and a few faces."""
    rows = np.flatnonzero(usable)
    rows = rows[np.argsort(ids[rows])]
    full = np.isfinite(z[rows]).sum(1)
    rows = rows[full == full.max()]
    centred = _unit(z)
    chosen = rows[np.linspace(0, len(rows) - 1, min(STARTS, len(rows)) + 2).astype(np.int64)[1:-1]]
    return [_unit(_median(centred[usable])[None])[0], *centred[chosen]]


def _middle(z: Complexes) -> Complexes:
    """(N, 1) mean of each row's labelled points."""
    known = np.isfinite(z)
    middle: Complexes = np.where(known, z, 0).sum(1, keepdims=True) / np.maximum(known.sum(1, keepdims=True), 1)
    return middle


def _unit(z: Complexes) -> Complexes:
    """(N, K) faces about 0 with a root mean square radius of 1."""
    centred = z - _middle(z)
    known = np.maximum(np.isfinite(z).sum(1, keepdims=True), 1)
    radius = np.sqrt(np.nansum(np.abs(centred) ** 2, axis=1, keepdims=True) / known)
    unit: Complexes = centred / np.maximum(radius, 1e-300)
    return unit


def _median(z: Complexes) -> Complexes:
    """(K,) median over rows of each coordinate; NaN where no row has the point."""
    with warnings.catch_warnings():  # of columns that are NaN throughout
        warnings.simplefilter("ignore", RuntimeWarning)
        median: Complexes = np.nanmedian(z.real, axis=0) + 1j * np.nanmedian(z.imag, axis=0)
    return median


def _median_length(off: Complexes) -> Floats:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmedian(np.abs(off), axis=0))


def _settle(z: Complexes, mean: Complexes, usable: Mask) -> Aligned:
    known = np.isfinite(z) & usable[:, None]
    weight = (known & np.isfinite(mean)).astype(np.float64)
    for _ in range(ROUNDS):
        off, _, _ = fit(z, mean, weight)
        off[~usable] = np.nan
        mean = _unit((np.where(np.isfinite(mean), mean, 0) + _median(off))[None])[0]
        spread = np.maximum(_median_length(off) / RAYLEIGH, SHARPEST)
        weight = weights(off, spread)
    off, middle, radius = fit(z, mean, weight)
    off[~usable] = np.nan
    spread = np.maximum(_median_length(off) / RAYLEIGH, SHARPEST)
    return Aligned(mean, off, spread, middle, radius, usable)
