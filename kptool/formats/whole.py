"""What a test set asks for where no file says so: every coordinate of every face."""

from __future__ import annotations

import hashlib

import numpy as np

from kptool.dataset import Dataset, Lookup


def whole_lookup(dataset: Dataset) -> Lookup:
    """Every coordinate of N faces with K points, in file order: face by face, point by point, x then y.

    Returns:
        2NK rows; the row ids count from 0. The digest is made from the dataset's.
    """
    n, k = len(dataset), len(dataset.schema.points)
    cell = np.arange(n * k * 2, dtype=np.int64)
    digest = hashlib.sha256(f"every coordinate {n} {k} {dataset.digest}".encode()).hexdigest()
    return Lookup(cell, cell // (2 * k), cell // 2 % k, cell % 2, digest)
