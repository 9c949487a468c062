"""Where the other points of a face put each of its points: a Gaussian model of the shapes of one set.

Distance from the mean shape alone cries wolf: a head turned aside or an open mouth moves many points together, rightly.
So the model knows how points move together (the covariance of the aligned faces), and a point counts as off where it
does not follow the others. Position, size and tilt have a flat prior, as in Procrustes analysis.

What one coordinate's conditional mean leaves is read off the precision matrix P: the residual of block k is
P_kk^-1 (P x)_k with covariance P_kk^-1 (Rue and Held, "Gaussian Markov Random Fields", 2005, theorem 2.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from kptool.check.shapes import RAYLEIGH, Complexes
from kptool.dataset import Ints, Mask
from kptool.geometry import Floats

WINSOR: Final = 4.0  # robust standard deviations beyond which a coordinate counts as that far and no further
ROUNDS: Final = 3
FLAT: Final = 1e4  # variance of position, size and tilt, times that of the points
NOISE: Final = 0.02  # of a point's own variance that no other point explains: labels are not exact
TAIL: Final = 2.4477  # length that 5 % of plain Gaussian vectors exceed: sqrt(-2 ln 0.05)


@dataclass(frozen=True)
class Model:
    """How the points of aligned faces vary together.

    Attributes:
        mean: (K,) the mean shape.
        covariance: (2K, 2K) of x and y of every point, x0, y0, x1, ...; with the flat prior.
    """

    mean: Complexes
    covariance: Floats


def learn(mean: Complexes, off: Complexes, spread: Floats) -> Model:
    """The model behind aligned faces; rows are weighted down where they do not follow it.

    Args:
        mean, off, spread: see `shapes.Aligned`; points that no row has must be left out.
    """
    limit = WINSOR * np.maximum(spread, 1e-9)
    length = np.abs(off)
    flat = _flat(mean)
    weight = np.isfinite(off).any(1).astype(np.float64)
    for step in range(ROUNDS):
        near = np.nan_to_num(off * np.minimum(1, limit / np.maximum(length, 1e-300)))
        values = pairs_of(near) * np.sqrt(weight)[:, None]
        seen = np.repeat(np.isfinite(off), 2, axis=1) * np.sqrt(weight)[:, None]
        together = np.maximum(seen.T @ seen, 1e-9)
        covariance = (values.T @ values) / together
        covariance = _proper(covariance, max(NOISE, 2 * off.shape[1] / max(weight.sum(), 1)))
        covariance += FLAT * covariance.trace() / len(covariance) * flat @ flat.T
        model = Model(mean, covariance)
        if step < ROUNDS - 1:
            worst = np.nan_to_num(surprise(model, off)).max(1)
            weight = weight / np.maximum(1, worst / WINSOR) ** 2
    return model


def surprise(model: Model, off: Complexes) -> Floats:
    """(N, K) how far each point lies from where the row's others put it, in standard deviations of the set.

    The unit is robust: a Gaussian's median and its outer twentieth are both held against the set's own, point by point,
    and the larger counts, so that what one row in twenty does is no surprise.
    """
    out: Floats = np.full(off.shape, np.nan)
    for rows, known, precision in _patterns(model, off):
        count = int(known.sum())
        x = pairs_of(off[np.ix_(rows, known)])
        pulled = (x @ precision).reshape(-1, count, 2)
        place = np.arange(2 * count).reshape(count, 2)
        blocks = precision[place[:, :, None], place[:, None, :]]
        squared = np.einsum("nki,kij,nkj->nk", pulled, np.linalg.inv(blocks), pulled)
        out[np.ix_(rows, known)] = np.sqrt(np.maximum(squared, 0))
    for k in range(out.shape[1]):
        column = out[:, k][np.isfinite(out[:, k])]
        if len(column):
            unit = max(float(np.median(column)) / RAYLEIGH, float(np.quantile(column, 0.95)) / TAIL)
            out[:, k] /= max(unit, 0.1)
    return out


def energy(model: Model, off: Complexes) -> Floats:
    """(N,) squared Mahalanobis length of each face per degree of freedom; NaN where nothing is labelled."""
    out = np.full(len(off), np.nan)
    for rows, known, precision in _patterns(model, off):
        x = pairs_of(off[np.ix_(rows, known)])
        free = max(2 * int(known.sum()) - 4, 1)
        out[rows] = np.einsum("ni,ij,nj->n", x, precision, x) / free
    return out


def pairs_of(z: Complexes) -> Floats:
    """(N, 2K) x0, y0, x1, ... of complex numbers (N, K)."""
    return np.stack([z.real, z.imag], axis=-1).reshape(len(z), -1)


def _patterns(model: Model, off: Complexes) -> list[tuple[Ints, Mask, Floats]]:
    """The rows of each pattern of labelled points, the points, and the precision of those alone."""
    labelled = np.isfinite(off)
    patterns, which = np.unique(labelled, axis=0, return_inverse=True)
    out = []
    for number, known in enumerate(patterns):
        if known.any():
            both = np.repeat(known, 2)
            precision = np.linalg.inv(model.covariance[np.ix_(both, both)])
            out.append((np.flatnonzero(which.reshape(-1) == number), known, (precision + precision.T) / 2))
    return out


def _flat(mean: Complexes) -> Floats:
    """(2K, 4) directions that move, grow and turn the mean shape."""
    ones = np.ones_like(mean)
    directions = pairs_of(np.stack([ones, 1j * ones, mean, 1j * mean]))
    unit: Floats = directions.T / np.linalg.norm(directions, axis=1)
    return unit


def _proper(covariance: Floats, noise: float) -> Floats:
    """Shrunk towards its diagonal, and without the negative eigenvalues that missing labels can leave."""
    values, vectors = np.linalg.eigh(covariance)
    whole = (vectors * np.maximum(values, 0)) @ vectors.T
    diagonal = np.maximum(whole.diagonal(), 1e-12)
    return np.asarray((1 - min(noise, 0.5)) * whole + np.diag(min(noise, 0.5) * diagonal + 1e-12))
