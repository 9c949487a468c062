"""Runs' out-of-fold predictions side by side, with every check that they may stand there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kptool.ensemble.checks import refuse_leaks, refuse_unlike
from kptool.errors import DataError
from kptool.geometry import Floats
from kptool.report.load import load
from kptool.report.outcome import Outcome
from kptool.runs import Run


@dataclass(frozen=True)
class Joined:
    """M runs of the same N rows.

    Attributes:
        runs: as they were named; some may be ensembles.
        outcomes: what each came to; the first one's folds, groups and labels count.
        points: (M, N, K, 2) out-of-fold predictions in the original images' px.
        spread: (M, N, K) their standard deviations in px, NaN where a run tells none.
    """

    runs: tuple[Run, ...]
    outcomes: tuple[Outcome, ...]
    points: Floats
    spread: Floats

    @property
    def first(self) -> Outcome:
        """The outcome whose folds, groups and labels count."""
        return self.outcomes[0]


def join(runs: Sequence[Run]) -> Joined:
    """Read runs that predicted the same rows.

    Raises:
        UsageError: no run, or runs of several competitions.
        DataError: a run has folds to train, was made of other data, rows or labels, or is damaged.
        LeakError: a run parted rows over its folds that another holds together.
    """
    refuse_unlike(runs)
    outcomes = tuple(load(run) for run in runs)
    for run, outcome in zip(runs, outcomes, strict=True):
        _refuse_other_labels(runs[0], outcomes[0], run, outcome)
    refuse_leaks(runs, outcomes)
    points, spread = (np.stack([getattr(one, name) for one in outcomes]) for name in ("predicted", "spread"))
    return Joined(tuple(runs), outcomes, points, spread)


def _refuse_other_labels(first: Run, wanted: Outcome, run: Run, outcome: Outcome) -> None:
    if not np.array_equal(outcome.ids, wanted.ids):
        raise DataError(f"{run.path} has other images than {first.path}", "train one of them again")
    if outcome.schemes.names != wanted.schemes.names or not np.array_equal(outcome.schemes.masks, wanted.schemes.masks):
        raise DataError(f"{run.path} has other marking schemes than {first.path}", "train one of them again")
    if not np.array_equal(outcome.truth, wanted.truth, equal_nan=True):
        same = (outcome.truth == wanted.truth) | (np.isnan(outcome.truth) & np.isnan(wanted.truth))
        row, point, _ = np.argwhere(~same)[0]
        raise DataError(
            f"{run.path} has other labels than {first.path}: {wanted.schema.points[point]} of image {wanted.ids[row]}",
            "train both with one data.outside",
        )
