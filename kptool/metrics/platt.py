"""Scores of pairs as probabilities, by a logistic curve fitted on other pairs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kptool.dataset import Ints, Mask
from kptool.geometry import Floats


class Platt(NamedTuple):
    """p = 1 / (1 + exp(-(scale · score + shift))), scale >= 0."""

    scale: float
    shift: float

    def probability(self, scores: Floats) -> Floats:
        """(n,) of one person."""
        return _logistic(self.scale * scores + self.shift)


class Reliable(NamedTuple):
    """Pairs whose probability lies in [low, high): how many, its mean, and the share that shows one person."""

    low: float
    high: float
    pairs: int
    probability: float
    share: float


def fit_platt(scores: Floats, same: Mask, rounds: int = 100) -> Platt:
    """Platt's fit (1999): maximum likelihood with his smoothed targets, (n₊ + 1)/(n₊ + 2) and 1/(n₋ + 2).

    Newton's method with the backtracking of Lin, Lin & Weng (2007, doi 10.1007/s10994-007-5018-6), on standardised
    scores. Where scores fall as pairs grow alike the curve is flat, not turned round: a scorer that is worse than lot
    has no confidence to give. It is flat too where all scores are equal, or all pairs of one kind.
    """
    ones, others = float(same.sum()), float((~same).sum())
    target = np.where(same, (ones + 1) / (ones + 2), 1 / (others + 2))
    middle, spread = float(scores.mean()), float(scores.std())
    if not spread > 0:
        return _flat(target)
    x = (scores - middle) / spread
    at = np.array([0.0, np.log((ones + 1) / (others + 1))])
    for _ in range(rounds):
        step, gradient = _newton(x, target, at)
        if np.abs(gradient).max() < 1e-9 * len(x):
            break
        length, before = 1.0, _loss(x, target, at)
        while length > 1e-10 and _loss(x, target, at - length * step) > before - 1e-4 * length * float(gradient @ step):
            length /= 2
        at = at - length * step
    if at[0] <= 0:
        return _flat(target)
    scale = float(at[0]) / spread
    return Platt(scale, float(at[1]) - scale * middle)


def fold_probabilities(scores: Floats, same: Mask, fold: Ints) -> Floats:
    """(n,) each fold's by a fit on the others; NaN where fold is -1, and everywhere with one fold alone."""
    known = fold >= 0
    present = np.unique(fold[known])
    out = np.full(len(scores), np.nan)
    if len(present) > 1:
        for k in present:
            rows = known & (fold != k)
            out[fold == k] = fit_platt(scores[rows], same[rows]).probability(scores[fold == k])
    return out


def reliability(probability: Floats, same: Mask, bins: int = 10) -> list[Reliable]:
    """The bins of equal width that hold pairs, from 0 to 1."""
    place = np.minimum((probability * bins).astype(np.int64), bins - 1)
    return [
        Reliable(k / bins, (k + 1) / bins, int(own.sum()), float(probability[own].mean()), float(same[own].mean()))
        for k in range(bins)
        if (own := place == k).any()
    ]


def _flat(target: Floats) -> Platt:
    share = float(target.mean())
    return Platt(0.0, float(np.log(share / (1 - share))))


def _logistic(z: Floats) -> Floats:
    e = np.exp(-np.abs(z))
    return np.asarray(np.where(z >= 0, 1 / (1 + e), e / (1 + e)))


def _loss(x: Floats, target: Floats, at: Floats) -> float:
    z = at[0] * x + at[1]
    return float((np.logaddexp(0, z) - target * z).sum())


def _newton(x: Floats, target: Floats, at: Floats) -> tuple[Floats, Floats]:
    p = _logistic(at[0] * x + at[1])
    gradient = np.array([((p - target) * x).sum(), (p - target).sum()])
    weight = p * (1 - p)
    cross = (weight * x).sum()
    hessian = np.array([[(weight * x * x).sum(), cross], [cross, weight.sum()]]) + 1e-9 * np.eye(2)
    return np.linalg.solve(hessian, gradient), gradient
