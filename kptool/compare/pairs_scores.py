"""One run's figures over some pairs, and the pairs that it answered rightly."""

from __future__ import annotations

from typing import Final

import numpy as np

from kptool.compare.values import Measure, Scores
from kptool.dataset import Mask
from kptool.metrics import verification as metrics
from kptool.verification.outcome import PairOutcome

FAR: Final = 0.1
STANDARD_ERROR: Final = Measure("score_standard_error", "± SE", "of folds", 14, 2, best="")
AUC: Final = Measure("score_auc", "AUC", "", 11, 4, best="highest")
EER: Final = Measure("score_eer_percent", "EER", "%", 11, 2)
TAR: Final = Measure("score_tar_at_far_10_percent", "TAR %", "at FAR 10 %", 8, 2, best="highest")
BRIER: Final = Measure("score_brier", "Brier", "", 7, 4)
MEASURES: Final = (STANDARD_ERROR, AUC, EER, TAR, BRIER)
HELDOUT: Final = Measure("heldout_eer_percent", "held-out EER", "%", 5, 2)


def right(outcome: PairOutcome) -> Mask:
    """(P,) whether each pair was answered rightly, by the threshold that is best on the other folds' pairs.

    False where the pair was not predicted. With one fold its threshold is chosen on its own pairs.
    """
    rows = outcome.fold >= 0
    thresholds = metrics.fold_thresholds(outcome.score[rows], outcome.same[rows], outcome.fold[rows])
    found = np.zeros(len(rows), dtype=np.bool_)
    for fold, threshold in thresholds.items():
        own = outcome.fold == fold
        found[own] = (outcome.score[own] >= threshold) == outcome.same[own]
    return found


def scores(outcome: PairOutcome) -> Scores:
    """Accuracy in % as the mean over folds, with the figures of MEASURES; NaN where the pairs cannot give one."""
    rows, good = outcome.fold >= 0, right(outcome)
    score, same, fold = outcome.score[rows], outcome.same[rows], outcome.fold[rows]
    each = [100 * float(good[outcome.fold == k].mean()) for k in np.unique(fold)]
    spread = float(np.std(each, ddof=1)) if len(each) > 1 else np.nan
    beside = {STANDARD_ERROR.key: metrics.standard_error(each), **_ranked(outcome, rows)}
    probability = metrics.fold_probabilities(score, same, fold)
    if np.isfinite(probability).all():  # with one fold there is none to fit them on
        beside[BRIER.key] = metrics.brier(probability, same)
    mean, pairs = float(np.mean(each)), int(rows.sum())
    return Scores(mean, mean, spread, pairs, pairs, beside)


def _ranked(outcome: PairOutcome, rows: Mask) -> dict[str, float]:
    """What is told by the order of all scores; nothing where the pairs are all of one kind."""
    score, same = outcome.score[rows], outcome.same[rows]
    different = int((~same).sum())
    if different in (0, len(same)):
        return {}
    found = {AUC.key: metrics.auc(score, same), EER.key: 100 * metrics.eer(score, same)}
    if FAR in metrics.carried(different, (FAR,)):
        found[TAR.key] = 100 * metrics.tar_at_far(score, same, FAR)[0]
    return found
