"""Whitened principal components of descriptors, and what of them tells people apart."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kptool.dataset import Ints
from kptool.errors import DataError
from kptool.geometry import Floats

Singles = npt.NDArray[np.float32]


class Whitening(NamedTuple):
    """x -> (x - mean) @ matrix: from F numbers to D decorrelated ones.

    Attributes:
        mean: (F,).
        matrix: (F, D).
    """

    mean: Floats
    matrix: Floats

    def __call__(self, values: npt.ArrayLike) -> Floats:
        """(n, F) -> (n, D)."""
        return (np.asarray(values, dtype=np.float64) - self.mean) @ self.matrix


def fit_whitening(values: npt.ArrayLike, components: int, power: float = 1.0) -> Whitening:
    """The `components` directions in which descriptors (n, F) vary most, the more alike in size the higher `power`.

    Coordinates are divided by their deviation to that power: 1 = whitened, 0 = PCA alone. Between them few examples
    serve best: the last components are mostly noise, which full whitening makes as loud as the first.

    Through the smaller of the covariance and the Gram matrix, so n < F costs n³ and not F³. Fewer components come out
    where the values have fewer.
    """
    data = np.asarray(values)
    mean = data.mean(0, dtype=np.float64)
    data = (data - mean).astype(data.dtype, copy=False)  # of long descriptors a copy in float64 would fill a laptop
    wide = data.shape[0] < data.shape[1]
    square = np.asarray(data @ data.T if wide else data.T @ data, dtype=np.float64)
    spectrum, vectors = np.linalg.eigh(square / len(data))
    keep = np.flatnonzero(spectrum > spectrum[-1] * 1e-10)[::-1][:components]
    variance, vectors = spectrum[keep], vectors[:, keep]
    axes = data.T @ (vectors / np.sqrt(variance * len(data))).astype(data.dtype) if wide else vectors
    axes = np.asarray(axes, dtype=np.float64)
    # A direction has no sign of its own: the largest entry is made positive, so that two machines agree.
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), np.arange(len(keep))])
    return Whitening(mean, axes / variance ** (power / 2))


def cosines(first: Floats, second: Floats) -> Floats:
    """(n,) cosines of vectors (n, D) row by row; 0 where one has no length."""
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return np.asarray((first * second).sum(1) / np.where(lengths > 0, lengths, 1.0))


def fit_within(values: Floats, person: Ints, shrink: float) -> Floats:
    """(D, D) the map after which pictures of one person differ alike in all directions (WCCN).

    Within-class covariance normalisation (Hatch, Kajarekar & Stolcke 2006): directions in which pictures of one person
    vary are made small, so that a cosine counts what stays. Few pairs tell little of D directions, so the covariance is
    shrunk towards its mean variance.

    Args:
        values: (n, D).
        person: (n,) who each is; those who stand there once say nothing.
        shrink: 0 = as measured, 1 = every direction alike.

    Raises:
        DataError: nobody stands there twice.
    """
    _, inverse, counts = np.unique(person, return_inverse=True, return_counts=True)
    inverse = inverse.reshape(-1)
    if counts.max() < 2:
        raise DataError("no person has two pictures, so nothing tells how pictures of one vary", "bring matched pairs")
    means = np.zeros((len(counts), values.shape[1]))
    np.add.at(means, inverse, values)
    away = values - (means / counts[:, None])[inverse]
    within = away.T @ away / (len(values) - len(counts))
    level = float(np.trace(within)) / len(within)
    spectrum, vectors = np.linalg.eigh((1 - shrink) * within + shrink * level * np.eye(len(within)))
    return np.asarray(vectors / np.sqrt(np.maximum(spectrum, 1e-12 * level)))
