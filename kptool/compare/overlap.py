"""The images and labels that several runs share, so that each is scored on the very same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from kptool.compare.read import Entry
from kptool.dataset import Ints, Mask, Names, rows_of
from kptool.duplicates import unite
from kptool.errors import DataError
from kptool.report import Outcome


@dataclass(frozen=True)
class Overlap:
    """What runs share.

    Attributes:
        ids: (n,) images that all of them predicted, in the order of their names.
        labels: (n, K, 2) True where all of them have a label.
        group: (n,) images that share a number in ANY of the runs, from 0 on.
    """

    ids: Names
    labels: Mask
    group: Ints

    def same_as(self, other: Overlap) -> bool:
        """Equal to the last label and group."""
        pairs = ((self.ids, other.ids), (self.labels, other.labels), (self.group, other.group))
        return all(np.array_equal(*pair) for pair in pairs)


def overlap(entries: Sequence[Entry]) -> Overlap:
    """What some runs share.

    Raises:
        DataError: no image, no label, or a label that is not the same in all of them.
    """
    outcomes = [entry.outcome for entry in entries]
    ids = reduce(np.intersect1d, [made.ids[made.fold >= 0] for made in outcomes])
    names = " and ".join(str(entry.run.path) for entry in (entries[0], entries[-1]))
    if not len(ids):
        raise DataError(f"{names} have no image in common that both predicted", "train the same folds of both")
    rows = [rows_of(made.ids, ids) for made in outcomes]
    truths = [made.truth[own] for made, own in zip(outcomes, rows, strict=True)]
    labels: Mask = np.asarray(np.all([np.isfinite(truth) for truth in truths], axis=0))
    if not labels.any():
        raise DataError(f"{names} have no label in common", "compare runs with the same data settings")
    for entry, truth in zip(entries, truths, strict=True):
        if (moved := (truth != truths[0]) & labels).any():
            row = int(moved.any((1, 2)).argmax())
            raise DataError(
                f"{entry.run.path} has other labels than {entries[0].run.path}, the first at image {ids[row]}",
                "train both on the same files, then compare",
            )
    groups = [_group(made)[own] for made, own in zip(outcomes, rows, strict=True)]
    return Overlap(ids, labels, unite(*groups))


def within(outcome: Outcome, common: Overlap) -> Outcome:
    """A run's outcome as if only the common images had been predicted, and of them only the common labels were there.

    The labels of the others stay: they are what the mean shape was taken from.
    """
    rows = rows_of(outcome.ids, common.ids)
    fold, truth = np.full_like(outcome.fold, -1), outcome.truth.copy()
    fold[rows] = outcome.fold[rows]
    truth[rows] = np.where(common.labels, outcome.truth[rows], np.nan)
    return replace(outcome, fold=fold, truth=truth, edited=None)


def _group(outcome: Outcome) -> Ints:
    return np.arange(len(outcome.ids)) if outcome.group is None else outcome.group
