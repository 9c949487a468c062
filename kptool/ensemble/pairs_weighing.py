"""Choosing the weights of runs of pairs by their out-of-fold scores, and judging the choice by scores it never saw.

Nested, as for points (`kptool.ensemble.weighing`): each fold's pairs are fused by weights of the other folds' scores.
The scale of a run is one for all folds: it asks for no label, and with a mean of its own each fold would be moved by
its share of same pairs, which is what the labels are.

Fitted weights are taken where they make the log loss smaller than equal ones do by more than the standard error of
that. Accuracy is too coarse to choose by: of 2200 pairs, two good weightings decide a handful otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kptool.ensemble.gain import Gain, jackknife
from kptool.ensemble.pairs_joining import JoinedPairs
from kptool.ensemble.pairs_weights import fit_fusion
from kptool.ensemble.weighing import Wanted
from kptool.errors import QualityError
from kptool.geometry import Floats
from kptool.members import How
from kptool.metrics.fusion import fuse
from kptool.metrics.verification import fold_probabilities, pair_losses
from kptool.report.sums import Sums


@dataclass(frozen=True)
class WeighedPairs:
    """Weights of runs of pairs, and what they make of the P pairs out of fold.

    Attributes:
        weights: (M,) for pairs to come; not negative, sum 1.
        how: how they came about.
        scores: (P,) out of fold; under "fit" each fold's by weights of the other folds.
        gain: of fitted weights on equal ones, where a fit was tried.
    """

    weights: Floats
    how: How
    scores: Floats
    gain: Gain | None


def weigh_pairs(joined: JoinedPairs, wanted: Wanted = "auto") -> WeighedPairs:
    """Choose the weights of an ensemble of runs of pairs.

    Args:
        wanted: "equal"; "fit" = fitted ones or none; "auto" = fitted ones where they gain enough, else equal ones.

    Raises:
        QualityError: wanted is "fit", and it gains no more than the standard error of its gain.
    """
    runs = len(joined.runs)
    same = np.full(runs, 1 / runs)
    plain = fuse(joined.scores, joined.scores, same)
    if wanted == "equal" or runs == 1:
        return WeighedPairs(same, "equal", plain, None)
    mixed = _fitted(joined)
    found = _gain(joined, plain, mixed)
    if found.real:
        return WeighedPairs(fit_fusion(joined.scores, joined.first.same), "fit", mixed, found)
    if wanted == "fit":
        raise QualityError(f"fitted weights {found.words()}", "average the runs with --weights equal")
    return WeighedPairs(same, "equal", plain, found)


def _fitted(joined: JoinedPairs) -> Floats:
    """(P,) each fold's pairs by weights fitted on the other folds."""
    scores, first = joined.scores, joined.first
    out = np.empty(scores.shape[1])
    for fold in np.unique(first.fold):
        rows = first.fold == fold
        out[rows] = fuse(scores[:, rows], scores, fit_fusion(scores[:, ~rows], first.same[~rows]))
    return out


def _gain(joined: JoinedPairs, plain: Floats, mixed: Floats) -> Gain:
    first = joined.first
    own, other = (pair_losses(fold_probabilities(s, first.same, first.fold), first.same) for s in (plain, mixed))
    ones = np.ones(len(own))
    error = jackknife(Sums(own, ones, root=False), Sums(other, ones, root=False), first.group)
    return Gain(float(own.mean()), float(other.mean()), error, "log loss", "nats")
