"""What a reader must know before believing a report on pairs, and what to do about it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from kptool.verification.values import PairReport

WORSE = 0.08  # of accuracy, below the folds' median
LOUD = 0.1  # share of all wrong pairs that one person may have
RISE = 5.0  # EER in % points, from a fold's best to its last


def warn(report: PairReport) -> tuple[str, ...]:
    """Sentences, the gravest first."""
    return tuple(
        line for about in (_collapsed, _beaten, _single, _kept, _uneven, _overfitted, _person) for line in about(report)
    )


def _collapsed(report: PairReport) -> Iterator[str]:
    model, same = report.model, sum(fold.same for fold in report.folds)
    different = report.about.scored - same
    if math.isnan(model.auc):
        yield "The scored pairs are all of one kind, so no figure tells whether anything was learned."
    elif abs(model.auc - 0.5) < 2 * _error(model.auc, same, different):
        yield (
            f"Collapsed: the AUC of {model.auc:.3f} is no better than lot (0.5). Lower train.lr, or take "
            "train.pairs = all, from which few pairs teach more."
        )


def _error(auc: float, same: int, different: int) -> float:
    """Standard error of an AUC (Hanley & McNeil 1982, doi 10.1148/radiology.143.1.7063747, eq. 1)."""
    one, two = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    total = auc * (1 - auc) + (same - 1) * (one - auc**2) + (different - 1) * (two - auc**2)
    return math.sqrt(max(total, 0.0) / (same * different))


def _beaten(report: PairReport) -> Iterator[str]:
    if report.classical is None or report.gain_low > 0:
        return
    word = "is worse than" if report.gain_high < 0 else "does not beat"
    span = "" if math.isnan(report.gain_low) else f" ({100 * report.gain_low:+.1f} to {100 * report.gain_high:+.1f})"
    yield (
        f"The model {word} the classical baseline ({report.classical.name}), which no net taught: "
        f"{100 * report.gain:+.1f} % points{span}."
    )


def _single(report: PairReport) -> Iterator[str]:
    if len(report.folds) == 1:
        yield (
            "One fold alone: its threshold is chosen on the very pairs that it judges, so the accuracy flatters; AUC "
            "and EER do not. Train the others with kptool cv --resume."
        )


def _kept(report: PairReport) -> Iterator[str]:
    if report.about.keep == "best":
        yield "Each fold kept its best epoch by the EER of the very pairs it is judged on: all figures are optimistic."


def _uneven(report: PairReport) -> Iterator[str]:
    if len(report.folds) < 3:
        return
    middle = float(np.median([fold.accuracy for fold in report.folds]))
    worst = min(report.folds, key=lambda fold: fold.accuracy)
    if worst.accuracy < middle - WORSE:
        yield (
            f"Fold {worst.fold} is much worse than the others: {100 * worst.accuracy:.1f} %, the median fold has "
            f"{100 * middle:.1f} %. Look at its history.csv and its pairs before trusting the mean."
        )


def _overfitted(report: PairReport) -> Iterator[str]:
    for curve in report.curves:
        known = [value for value in curve.eer if not math.isnan(value)]
        if len(known) > 2 and known[-1] - min(known) > RISE and curve.loss[-1] < curve.loss[0] / 3:
            yield (
                f"Over-fitting: fold {curve.fold}'s EER rose from {min(known):.1f} % to {known[-1]:.1f} % while its "
                f"loss fell to {curve.loss[-1]:.2g}. Try train.keep = best, fewer epochs, or stronger augmentation."
            )
            return


def _person(report: PairReport) -> Iterator[str]:
    wrong = sum(round((1 - fold.accuracy) * fold.pairs) for fold in report.folds)
    if report.people and report.people[0].wrong > max(2.0, LOUD * wrong):
        first = report.people[0]
        yield f"{first.person} stands in {first.wrong} of {wrong} wrong pairs: look at {first.worst}."
