"""Runs' out-of-fold scores of pairs side by side, with every check that they may stand there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kptool.ensemble.checks import refuse_leaks, refuse_unlike
from kptool.errors import DataError
from kptool.geometry import Floats
from kptool.runs import Run
from kptool.verification.load import load
from kptool.verification.outcome import PairOutcome


@dataclass(frozen=True)
class JoinedPairs:
    """M runs of the same P pairs.

    Attributes:
        runs: as they were named; some may be ensembles.
        outcomes: what each came to; the first one's folds, groups and classical baseline count.
        scores: (M, P) out of fold, each in its own scale.
    """

    runs: tuple[Run, ...]
    outcomes: tuple[PairOutcome, ...]
    scores: Floats

    @property
    def first(self) -> PairOutcome:
        """The outcome whose folds, groups and classical baseline count."""
        return self.outcomes[0]


def join_pairs(runs: Sequence[Run]) -> JoinedPairs:
    """Read runs that scored the same pairs.

    Raises:
        UsageError: no run, or runs of several competitions.
        DataError: a run has folds to train, was made of other data or pairs, or is damaged.
        LeakError: a run parted people over its folds.
    """
    refuse_unlike(runs)
    outcomes = tuple(load(run) for run in runs)
    for run, outcome in zip(runs, outcomes, strict=True):
        if not np.array_equal(outcome.ids, outcomes[0].ids) or not np.array_equal(outcome.same, outcomes[0].same):
            raise DataError(f"{run.path} has other pairs than {runs[0].path}", "train one of them again")
        if run.env["protocol"] != runs[0].env["protocol"]:
            raise DataError(
                f"{run.path} is of {run.env['protocol']}, {runs[0].path} of {runs[0].env['protocol']}",
                "name runs of one list of pairs",
            )
    refuse_leaks(runs, outcomes)
    return JoinedPairs(tuple(runs), outcomes, np.stack([one.score for one in outcomes]))
