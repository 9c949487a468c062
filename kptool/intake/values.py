"""A competition's training data as a cross-validation takes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kptool.dataset import Dataset, Ints, Mask
from kptool.folds import Folds
from kptool.geometry import Floats
from kptool.schemes import Schemes


@dataclass(frozen=True)
class Intake:
    """A competition's training data, checked and split.

    Attributes:
        dataset: the N rows the recipe uses.
        scheme: (N,) marking scheme of each row.
        schemes: the marking schemes.
        folds: who is held out when.
        test_mix: share of the requested values per scheme; None where a test file is not there.
        notes: what a user should know, a line each.
        labels: (N, K, 2) what is trained on instead of the dataset's points, in the images' own px; None = no edits.
    """

    dataset: Dataset
    scheme: Ints
    schemes: Schemes
    folds: Folds
    test_mix: list[float] | None
    notes: list[str]
    labels: Floats | None = None

    def training(self, fold: int) -> Ints:
        """(n,) rows that a fold trains on: not held out, and not without a label by the edits."""
        rows = self.folds.train(fold)
        if self.labels is None:
            return rows
        left: Mask = np.asarray(np.isfinite(self.labels[rows]).all(-1))
        return rows[left.any(1)]
