"""Scores of pairs against who is on them: plain numpy, a score is higher the more alike two pictures are.

Decisions follow Huang et al., "Labeled Faces in the Wild" (UMass Amherst technical report 07-49, 2007, section 5): a
threshold is chosen on other folds' pairs, accuracy is told as the mean over folds with its standard error. The ROC and
its figures follow Fawcett, "An introduction to ROC analysis" (2006, doi 10.1016/j.patrec.2005.10.010): TAR, the true
accept rate, is the share of same-person pairs accepted, FAR that of the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kptool.dataset import Ints, Mask
from kptool.errors import DataError
from kptool.geometry import Floats
from kptool.metrics.platt import Platt, Reliable, fit_platt, fold_probabilities, reliability

__all__ = [
    "Platt", "Reliable", "Roc", "accuracy", "auc", "best_threshold", "brier", "carried", "eer", "fit_platt",
    "fold_probabilities", "fold_thresholds", "log_loss", "pair_losses", "reliability", "roc", "standard_error",
    "tar_at_far",
]  # fmt: skip

FEWEST_OTHERS = 10
"""A FAR that fewer accepted different-person pairs decide is luck: its relative error is 1 / sqrt of their number."""


class Roc(NamedTuple):
    """The steps of a ROC, from (0, 0) to (1, 1).

    Attributes:
        far, tar: (s,) rising.
        threshold: (s,) falling; pairs of this score or more are accepted. The first is infinite.
    """

    far: Floats
    tar: Floats
    threshold: Floats


def accuracy(scores: Floats, same: Mask, threshold: float) -> float:
    """Share of n pairs that `score >= threshold` answers rightly."""
    return float(((scores >= threshold) == same).mean())


def best_threshold(scores: Floats, same: Mask) -> float:
    """The threshold of the highest accuracy on n pairs.

    Of several the one in the middle of the widest gap between scores, of equally wide ones the lowest; a gap beyond the
    last score is as wide as it needs to be to accept or refuse all.

    Raises:
        DataError: no pairs.
    """
    if not len(scores):
        raise DataError("no pairs to choose a threshold on", "finish more folds")
    values, inverse = np.unique(scores, return_inverse=True)
    inverse = inverse.reshape(-1)
    right = np.bincount(inverse, weights=np.where(same, 1.0, -1.0), minlength=len(values))
    # gained[i]: rightly answered pairs, but for a constant, with all from values[i] on accepted.
    gained = np.append(np.cumsum(right[::-1])[::-1], 0.0)
    best = np.flatnonzero(gained == gained.max())
    widths = np.concatenate([[0.0], np.diff(values), [0.0]])[best]
    place = int(best[int(np.argmax(widths))])
    if place == len(values):
        return _above(values)
    if place == 0:
        return float(values[0])
    low, high = values[place - 1], values[place]
    middle = float(low + (high - low) / 2)
    return middle if low < middle <= high else float(high)


def fold_thresholds(scores: Floats, same: Mask, fold: Ints) -> dict[int, float]:
    """For each fold (n,) present the best threshold on all the others' pairs; -1 is no fold.

    One fold alone is judged by the best threshold on its own pairs, which flatters it.
    """
    known = fold >= 0
    present = [int(k) for k in np.unique(fold[known])]
    chosen = {k: known & (fold != k) if len(present) > 1 else known for k in present}
    return {k: best_threshold(scores[rows], same[rows]) for k, rows in chosen.items()}


def standard_error(values: Sequence[float] | Floats) -> float:
    """s / sqrt(k) of k values, s their sample deviation, of k - 1 (Huang et al. 2007); NaN for fewer than two."""
    found = np.asarray(values, dtype=np.float64)
    return float(found.std(ddof=1) / math.sqrt(len(found))) if len(found) > 1 else math.nan


def roc(scores: Floats, same: Mask) -> Roc:
    """All steps of the ROC of n pairs (Fawcett 2006, algorithm 1); equal scores step together.

    Raises:
        DataError: all pairs are of one kind.
    """
    values, others, own = _accepted(scores, same)
    return Roc(others / others[-1], own / own[-1], np.append(math.inf, values))


def auc(scores: Floats, same: Mask) -> float:
    """Area under the ROC: the chance that a same-person pair scores above another, ties half. 0.5 = no better than lot.

    Summed in whole numbers (the Mann-Whitney count, Fawcett 2006, section 7), so it is exact but for one division.

    Raises:
        DataError: all pairs are of one kind.
    """
    _, others, own = _accepted(scores, same)
    twice = int((np.diff(others) * (own[1:] + own[:-1])).sum())
    return twice / (2 * int(others[-1]) * int(own[-1]))


def eer(scores: Floats, same: Mask) -> float:
    """Equal error rate: where FAR = 1 - TAR, linearly between the two steps around it.

    Raises:
        DataError: all pairs are of one kind.
    """
    found = roc(scores, same)
    above = found.far - (1 - found.tar)  # rises from -1 to 1
    at = int(np.searchsorted(above, 0.0))
    if above[at] == 0:
        return float(found.far[at])
    part = -above[at - 1] / (above[at] - above[at - 1])
    return float(found.far[at - 1] + part * (found.far[at] - found.far[at - 1]))


def tar_at_far(scores: Floats, same: Mask, far: float) -> tuple[float, float]:
    """The largest TAR of a threshold whose FAR is at most `far`, and the highest such threshold, which is finite.

    Raises:
        DataError: all pairs are of one kind.
    """
    found = roc(scores, same)
    best = found.tar[int(np.searchsorted(found.far, far + 1e-12, side="right")) - 1]
    at = int(np.searchsorted(found.tar, best))
    return float(best), float(found.threshold[at]) if at else _above(scores)


def carried(different: int, fars: Sequence[float] = (0.1, 0.01, 0.001)) -> tuple[float, ...]:
    """Those rates that at least FEWEST_OTHERS of so many different-person pairs decide."""
    return tuple(far for far in fars if far * different + 1e-9 >= FEWEST_OTHERS)


def brier(probability: Floats, same: Mask) -> float:
    """Mean of (p - y)² (Brier 1950, for two outcomes halved), y = 1 for one person; 0.25 for answering one half."""
    return float(((probability - same) ** 2).mean())


def log_loss(probability: Floats, same: Mask) -> float:
    """Mean of -ln of the probability given to what is true, in nats."""
    return float(pair_losses(probability, same).mean())


def pair_losses(probability: Floats, same: Mask) -> Floats:
    """(n,) -ln of the probability given to what is true, in nats."""
    given = np.where(same, probability, 1 - probability)
    return np.asarray(-np.log(np.clip(given, 1e-15, 1)))


def _accepted(scores: Floats, same: Mask) -> tuple[Floats, Ints, Ints]:
    """The (v,) distinct scores, falling, and (v + 1,) how many others and own pairs are accepted from none to all."""
    if same.all() or not same.any():
        kind = "one person" if len(same) and same.all() else "two persons"
        raise DataError(f"all {len(same)} pairs are of {kind}, so there is nothing to tell apart", "bring both kinds")
    values, inverse = np.unique(-scores, return_inverse=True)
    inverse = inverse.reshape(-1)
    counts = [np.append(0, np.cumsum(np.bincount(inverse[kind], minlength=len(values)))) for kind in (~same, same)]
    return -values, counts[0], counts[1]


def _above(scores: Floats) -> float:
    """The lowest threshold that accepts none of these."""
    return float(np.nextafter(scores.max(), math.inf))
