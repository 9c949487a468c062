"""The pairs of a run that were scored, judged: thresholds from the other folds, decisions, probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kptool.dataset import Ints, Mask
from kptool.errors import DataError
from kptool.geometry import Floats
from kptool.metrics import verification as metrics
from kptool.verification.outcome import PairOutcome


@dataclass(frozen=True)
class Judged:
    """One scorer's answers to the n pairs that have an out-of-fold score, in the order of their ids.

    Attributes:
        row: (n,) of each, its place in the data.
        score: (n,) higher = more alike.
        same: (n,) the truth.
        fold: (n,) the fold that held it out.
        group: (n,) pairs that are drawn together.
        thresholds: of each fold.
        decision: (n,) True = taken for one person.
        probability: (n,) of one person, calibrated on the other folds; NaN with one fold.
    """

    row: Ints
    score: Floats
    same: Mask
    fold: Ints
    group: Ints
    thresholds: dict[int, float]
    decision: Mask
    probability: Floats

    @property
    def right(self) -> Mask:
        """(n,) whether each decision is the truth."""
        return np.asarray(self.decision == self.same)

    @property
    def away(self) -> Floats:
        """(n,) how far each score lies from its fold's threshold."""
        return np.asarray(np.abs(self.score - np.array([self.thresholds[int(k)] for k in self.fold])))

    @property
    def both_kinds(self) -> bool:
        """Whether there are pairs of one person and of two, without which there is no ROC."""
        return bool(self.same.any() and not self.same.all())


def judge(outcome: PairOutcome, scores: Floats) -> Judged:
    """The scored pairs of an outcome under some scores (P,): the model's, or the baseline's.

    Their order is their own, not the file's: a sum of floats depends on it, and a figure must not.

    Raises:
        DataError: no pair is scored.
    """
    row = np.flatnonzero(outcome.fold >= 0)
    if not len(row):
        raise DataError(f"run {outcome.run}: no fold has scored its pairs", "train one first")
    row = row[np.argsort(outcome.ids[row])]
    score, same, fold = scores[row], outcome.same[row], outcome.fold[row]
    thresholds = metrics.fold_thresholds(score, same, fold)
    at = np.array([thresholds[int(k)] for k in fold])
    probability = metrics.fold_probabilities(score, same, fold)
    return Judged(row, score, same, fold, outcome.group[row], thresholds, score >= at, probability)
