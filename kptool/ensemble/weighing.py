"""Choosing an ensemble's weights by out-of-fold predictions, and judging the choice by predictions it never saw.

Nested: each fold's rows are mixed by weights fitted on the other folds, and these mixtures are scored. Fitted weights
are taken where they gain more than the standard error of their gain on the plain mean. Then the mixtures of the nested
fits are the ensemble's out-of-fold predictions, and the weights for images to come are fitted on all folds.
One standard error is no proof: of pairs of runs that differ by luck alone (301 rows, 2 schemes of 3 points), 2 in 60
passed.

A run's predictions in the other folds come from models that were trained on this one; so does every stacking's, and
the weights alone are too few to carry a label over.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

import numpy as np

from kptool.ensemble.gain import Gain, gain
from kptool.ensemble.joining import Joined
from kptool.ensemble.weights import equal, fit, moments
from kptool.errors import QualityError, UsageError
from kptool.geometry import Floats
from kptool.members import How, mix
from kptool.report.scored import Scored, scored

Wanted = Literal["auto", "equal", "fit"]
WANTED: Final[tuple[Wanted, ...]] = get_args(Wanted)


@dataclass(frozen=True)
class Weighed:
    """An ensemble's weights, and what they make of the N rows out of fold.

    Attributes:
        weights: (M, S, K) for images to come, by marking scheme and point; not negative, sum 1 over the M runs.
        how: how they came about.
        points: (N, K, 2) in the original images' px; under "fit" each fold's by weights fitted on the others.
        spread: (N, K) px.
        gain: of fitted weights on equal ones, where a fit was tried.
    """

    weights: Floats
    how: How
    points: Floats
    spread: Floats
    gain: Gain | None


def check_weights(word: str) -> Wanted:
    """Give --weights back; raises UsageError for another word than auto, equal and fit."""
    for one in WANTED:
        if one == word:
            return one
    raise UsageError(f"--weights {word}", f"it is {', '.join(WANTED[:-1])} or {WANTED[-1]}")


def weigh(joined: Joined, wanted: Wanted = "auto") -> Weighed:
    """Choose the weights of an ensemble.

    Args:
        wanted: "equal"; "fit" = fitted ones or none; "auto" = fitted ones where they gain enough, else equal ones.

    Raises:
        QualityError: wanted is "fit", and it gains no more than the standard error of its gain.
        DataError: a labelled point has no finite prediction, or a face whose errors cannot be normalised.
    """
    first, runs = joined.first, len(joined.runs)
    same = equal(runs, len(first.schemes), len(first.schema.points))
    plain = mix(joined.points, joined.spread, same[:, first.scheme])
    if wanted == "equal" or runs == 1:
        return Weighed(same, "equal", *plain, None)
    weights, nested = _nested(joined)
    mixed = mix(joined.points, joined.spread, nested)
    found = gain(_score(joined, plain[0]), _score(joined, mixed[0]), first.group)
    if found.real:
        return Weighed(weights, "fit", *mixed, found)
    if wanted == "fit":
        raise QualityError(f"fitted weights {found.words()}", "average the runs with --weights equal")
    return Weighed(same, "equal", *plain, found)


def _nested(joined: Joined) -> tuple[Floats, Floats]:
    """Weights (M, S, K) fitted on all folds, and (M, N, K) those of each row fitted on the folds other than its own."""
    first = joined.first
    group = np.arange(len(first.ids)) if first.group is None else first.group
    known = moments(_errors(joined), first.fold, group, first.scheme, len(first.schemes))
    folds = range(len(known.counts))
    nested = np.empty(joined.spread.shape)
    for held_out in folds:
        weights = fit(known, [fold for fold in folds if fold != held_out])
        rows = first.fold == held_out
        nested[:, rows] = weights[:, first.scheme[rows]]
    return fit(known, folds), nested


def _errors(joined: Joined) -> Floats:
    """(M, N, K, 2) what the squares are taken of: px, or where the NME leads, fractions of each face's normaliser."""
    scores = [_score(joined, points) for points in joined.points]
    errors = np.stack([one.errors for one in scores])
    if joined.first.metric == "nme":
        errors = errors / scores[0].lengths[joined.first.normaliser][:, None, None]
    return errors


def _score(joined: Joined, points: Floats) -> Scored:
    return scored(replace(joined.first, predicted=points))
