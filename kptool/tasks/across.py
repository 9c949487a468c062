"""Held-out rows answered in every marking scheme: the sums that tell what answering in their own is worth."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from kptool.dataset import Ints
from kptool.errors import DataError
from kptool.files import write_text
from kptool.geometry import Floats

FILE: Final = "schemes.json"
"""Beside a fold's oof.parquet; absent where the model has one set of outputs, and in runs of older versions."""


@dataclass(frozen=True)
class Across:
    """Sums over rows; those of several folds add up to those of all their rows.

    Attributes:
        squares: (S, S, K) px²: [s, t, k] is the sum of squared errors, in original px, of point k over the rows marked
            with scheme s when they are answered in scheme t.
        values: (S, K): how many coordinates of point k are labelled in the rows of scheme s.
    """

    squares: Floats
    values: Ints

    def __add__(self, other: Across) -> Across:
        return Across(self.squares + other.squares, self.values + other.values)


def sum_across(points: Floats, truth: Floats, scheme: Ints) -> Across:
    """Sum up the errors of rows answered in every scheme.

    Args:
        points: (S, n, K, 2) answers in each scheme.
        truth: (n, K, 2) labels in the same px, NaN where not labelled.
        scheme: (n,) the scheme each row is marked with.
    """
    errors = points - truth
    per_point = np.where(np.isfinite(truth), errors**2, 0).sum(-1)  # not nansum: a lost answer must not pass for none
    seen = np.isfinite(truth).sum(-1)
    own = [scheme == s for s in range(len(points))]
    return Across(np.stack([per_point[:, rows].sum(1) for rows in own]), np.stack([seen[rows].sum(0) for rows in own]))


def write_across(path: Path, across: Across) -> None:
    """Write the sums as JSON, every bit of them."""
    write_text(path, json.dumps({"squares": across.squares.tolist(), "values": across.values.tolist()}))


def read_across(path: Path, schemes: int, points: int) -> Across:
    """Read `write_across` back.

    Raises:
        DataError: not such a file, or one of other schemes or points.
    """
    remedy = "delete it, and the report goes without"
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        squares, values = np.array(table["squares"], dtype=np.float64), np.array(table["values"], dtype=np.int64)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path}: cannot be read ({type(error).__name__})", remedy) from None
    if squares.shape != (schemes, schemes, points) or values.shape != (schemes, points):
        raise DataError(f"{path}: is not of {schemes} marking schemes of {points} points", remedy)
    return Across(squares, values)
