"""What a reader must know before believing a report on pairs, and what to do about it."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from kptool.verification.judged import Judged
from kptool.verification.values import PairCurve, PairReport
from kptool.verification.words import percent, several, span

BEYOND = 2.0  # standard errors that tell a figure from chance
VAGUE = 0.05  # of an AUC's standard error: with more the pairs, not the model, are to blame
APART = 3.0  # the same, of one fold among several: the worst of many lies low by luck alone
WORSE = 0.05  # of accuracy, below the folds' median: less is not worth a word, however sure
LOUD, FEW = 0.1, 2  # share of all wrong pairs that one person may have, and how many anyone may
ALIKE = 1e-3  # width of nine scores in ten over the largest; below, they are one number with noise
RISE = 5.0  # EER in % points, from a fold's best to its last
LEARNED = 3.0  # how many times smaller the loss became

_REMEDY = "Try a lower train.lr, a longer train.warmup, or train.pairs = all, from which the same pictures teach more"


def warn(report: PairReport, model: Judged) -> tuple[str, ...]:
    """What a reader must know before believing the score, the gravest first; a few sentences each."""
    checks = (_chance, _alike, _beaten, _single, _partial, _kept, _uneven, _overfitted, _person)
    return tuple(words for check in checks for words in check(report, model))


def auc_error(auc: float, same: int, different: int) -> float:
    """Standard error of an AUC (Hanley & McNeil 1982, doi 10.1148/radiology.143.1.7063747, equation 1)."""
    two_own, two_others = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    total = auc * (1 - auc) + (same - 1) * (two_own - auc**2) + (different - 1) * (two_others - auc**2)
    return math.sqrt(max(total, 0.0) / (same * different))


def _chance(report: PairReport, model: Judged) -> Iterable[str]:
    if not model.both_kinds:
        yield "The scored pairs are all of one kind, so no figure tells whether anything was learned. Run more folds."
        return
    auc, same = report.model.auc, int(model.same.sum())
    error = auc_error(auc, same, len(model.same) - same)
    told = f"AUC {auc:.3f} ± {error:.3f}, where lot has 0.5"
    if auc < 0.5 - BEYOND * error:
        yield f"The model answers the wrong way round: {told}. Check its labels and the sign of its scores."
    elif auc <= 0.5 + BEYOND * error and error > VAGUE:
        yield f"Too few pairs to tell the model from chance: {told}. Run more folds, or bring more pairs."
    elif auc <= 0.5 + BEYOND * error:
        yield f"Collapsed, no better than chance: {told}. {_REMEDY}."


def _alike(report: PairReport, model: Judged) -> Iterable[str]:
    del report
    low, high = np.percentile(model.score, (5, 95))
    if high - low <= ALIKE * np.abs(model.score).max():
        yield (
            f"Nearly one score for all: nine in ten lie between {low:.6g} and {high:.6g}, so a threshold between them "
            f"holds by a hair. {_REMEDY}."
        )


def _beaten(report: PairReport, model: Judged) -> Iterable[str]:
    del model
    other, low, high = report.classical, report.gain_low, report.gain_high
    if other is None or low > 0 or (math.isnan(low) and report.gain > 0):
        return
    interval = "" if math.isnan(low) else f" (95 % interval {span(low, high, '+')})"
    yield (
        f"The model {'is worse than' if high < 0 else 'does not beat'} the classical baseline ({other.name}), which "
        f"learned from no label: {percent(report.gain, 1, '+')} points of accuracy{interval}. Try train.pairs = all, "
        "or begin where hand-made features end (model.backbone = descriptors)."
    )


def _single(report: PairReport, model: Judged) -> Iterable[str]:
    del model
    if len(report.folds) == 1:
        yield (
            f"Only fold {report.folds[0].fold} was run: its threshold is chosen on the very pairs that it judges, so "
            "the accuracy is optimistic; AUC and EER are not. Run the other folds (kptool cv --resume)."
        )


def _partial(report: PairReport, model: Judged) -> Iterable[str]:
    del model
    scored, pairs = report.about.scored, report.about.pairs
    if scored < pairs and len(report.folds) > 1:
        yield (
            f"Only {several(len(report.folds), 'fold')} were run: the score covers {scored} of {pairs} pairs "
            f"({scored / pairs:.0%}). Run the others (kptool cv --resume) before comparing it with a whole "
            "cross-validation."
        )


def _kept(report: PairReport, model: Judged) -> Iterable[str]:
    del model
    if report.about.keep == "best":
        yield (
            "All figures are optimistic: each fold kept its best epoch, chosen by the EER of the very pairs it judges "
            '(train.keep = "best"). Use train.keep = "last" to compare recipes.'
        )
    elif report.about.stopped_early:
        yield (
            "All figures are optimistic: patience ended a fold's training by the EER of the very pairs it judges. Set "
            "train.patience = 0 to compare recipes."
        )


def _uneven(report: PairReport, model: Judged) -> Iterable[str]:
    del model
    if len(report.folds) < 3:  # with two, neither is the odd one
        return
    middle = float(np.median([fold.accuracy for fold in report.folds]))
    for fold in report.folds:
        luck = APART * math.sqrt(middle * (1 - middle) / fold.pairs)
        if fold.accuracy < middle - max(WORSE, luck):
            yield (
                f"Fold {fold.fold} is much worse than the others: {percent(fold.accuracy)} % of its "
                f"{several(fold.pairs, 'pair')}, the median fold has {percent(middle)} %. Look at its history.csv and "
                "its pairs before trusting the mean."
            )


def _overfitted(report: PairReport, model: Judged) -> Iterable[str]:
    del model
    rises = [(_rise(curve), curve) for curve in report.curves]
    if not any(rise > RISE for rise, _ in rises):
        return
    rise, worst = max(rises, key=lambda one: one[0])
    last = [eer for eer in worst.eer if not math.isnan(eer)][-1]
    count = sum(each > RISE for each, _ in rises)
    where = f"fold {worst.fold}" if count == 1 else f"{count} of {len(rises)} folds, most in fold {worst.fold}"
    yield (
        f"Over-fitted in {where}: its held-out EER rose from {last - rise:.1f} % to {last:.1f} % while its loss fell "
        f"to {worst.loss[-1]:.2g}. Try fewer epochs, stronger augmentation or train.weight_decay."
    )


def _rise(curve: PairCurve) -> float:
    """% points of EER that a fold lost after its best epoch while it went on learning its own pairs; else 0."""
    known = [eer for eer in curve.eer if not math.isnan(eer)]
    if not known or curve.loss[-1] * LEARNED > curve.loss[0]:
        return 0.0
    return known[-1] - min(known)


def _person(report: PairReport, model: Judged) -> Iterable[str]:
    wrong = int((~model.right).sum())
    for one in report.people[:1]:
        if one.wrong > max(FEW, LOUD * wrong):
            yield (
                f"{one.person} stands in {one.wrong} of the {several(wrong, 'wrong pair')} ({one.wrong / wrong:.0%}): "
                f"look whether {one.worst}, which is in {one.worst_pairs} of them, shows who it should."
            )
