"""Scores of several scorers as one: each brought to one scale, then weighed and added."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kptool.geometry import Floats


class Scale(NamedTuple):
    """Where a scorer's scores lie: their mean, and their standard deviation, infinite where they are all equal."""

    middle: float
    spread: float

    def standard(self, scores: Floats) -> Floats:
        """(n,) in deviations from the mean."""
        return np.asarray((scores - self.middle) / self.spread)


def scale_of(scores: Floats) -> Scale:
    """The scale of n scores; it asks for no label."""
    middle, spread = float(scores.mean()), float(scores.std())
    return Scale(middle, spread if spread > 1e-12 * abs(middle) else np.inf)  # what is less is rounding


def standardise(scores: Floats, known: Floats) -> Floats:
    """(M, n) scores of M scorers, each in the scale of what is known of it (M, k).

    A cosine lies between -1 and 1, a logit anywhere: without this the widest would decide alone ("z-norm" of Jain,
    Nandakumar & Ross, "Score normalization in multimodal biometric systems", 2005, doi 10.1016/j.patcog.2005.01.012).
    """
    return np.stack([scale_of(own).standard(each) for each, own in zip(scores, known, strict=True)])


def fuse(scores: Floats, known: Floats, weights: Floats) -> Floats:
    """(n,) the weighted sum of `standardise` (M, n), by weights (M,).

    A scorer of weight 0 plays no part, whatever its scores.
    """
    used = weights > 0
    return np.asarray(weights[used] @ standardise(scores[used], known[used]))
