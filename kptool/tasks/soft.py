"""Soft labels as one fold trains on them: in the frame, and only where a label is missing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kptool.config import DataOptions
from kptool.dataset import Ints
from kptool.errors import DataError
from kptool.files import file_digest
from kptool.geometry import Floats
from kptool.pixels import Arrays
from kptool.schema import Schema
from kptool.soft_labels import read_set


@dataclass(frozen=True)
class Soft:
    """What a fold may learn beside the labels.

    Attributes:
        first: (N + 1,) the entries of row n are first[n] to first[n + 1] - 1.
        scheme: (M,) the marking scheme by whose rules an entry's points are placed.
        points: (M, K, 2) in the frame; NaN = none.
    """

    first: Ints
    scheme: Ints
    points: Floats

    def of(self, rows: Ints) -> tuple[Ints, Floats, Ints]:
        """The entries of some rows: (m,) their places in `rows`, points (m, K, 2) and schemes (m,)."""
        counts = self.first[rows + 1] - self.first[rows]
        at = np.repeat(np.arange(len(rows)), counts)
        before = np.repeat(np.cumsum(counts) - counts, counts)
        entry = self.first[rows][at] + np.arange(len(at)) - before
        return at, self.points[entry], self.scheme[entry]


def open_soft(options: DataOptions, fold: int, arrays: Arrays, taught: Floats) -> Soft:
    """The soft labels of one fold, brought into the frame.

    Args:
        options: the recipe's [data], with a file of soft labels.
        taught: (N, K, 2) the labels; a point that has one keeps it, whatever the file says.

    Raises:
        DataError: no such file, or another one than when the run was begun.
    """
    file = Path(options.soft)
    if not file.is_file() or file_digest(file)[:12] != options.soft_digest:
        raise DataError(f"data.soft {file} is gone or has changed", "restore it, or start a new run")
    own = read_set(file, fold, arrays.ids, arrays.schema)
    free = own.usable(options.soft_radius) & ~np.isfinite(taught[own.row]).all(-1)
    some = free.any(1)
    row, points = own.row[some], np.where(free[some, :, None], own.points[some], np.nan)
    first = np.searchsorted(row, np.arange(len(arrays.ids) + 1))
    return Soft(first, own.scheme[some], arrays.to_frame[row](points))


def repeated(schema: Schema, times: int) -> Schema:
    """The points of several sets of outputs as those of one schema, set by set; each set mirrors within itself."""
    count = len(schema.points)
    names = tuple(f"{point} {number}" for number in range(times) for point in schema.points)
    mirror = tuple(number * count + at for number in range(times) for at in schema.mirror)
    return Schema(schema.name, names, mirror)
