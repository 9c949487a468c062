"""Weights that make the squared error of several runs' weighted mean least, shrunk towards equal ones.

For one marking scheme and point let e_m be the errors of run m (x and y of every labelled row) and C the M x M matrix
of their mean products. The weighted mean's error is sum w_m e_m, because the weights sum to 1, so its mean square is
w'Cw. Wanted is the least of

    w'Cw + r d |w - 1/M|^2    with w >= 0 and sum w = 1.

Non-negative weights are Breiman's ("Stacked regressions", 1996), who found that they keep alike predictors from being
played off against each other. d is the mean over the runs of the squared distance from their plain mean (the ambiguity
of Krogh and Vedelsby, 1995): it makes r a plain number, whatever the px and however much of the error, such as that of
the labels, all runs share. r is one for all points, chosen by cross-validation over whole groups among the rows that
the fit may see; r = infinity is equal weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from scipy.optimize import nnls

from kptool.dataset import Ints
from kptool.geometry import Floats

STRENGTHS: Final = (np.inf, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.01, 0.001)
"""What r is chosen from, the strongest first: of two as good, it is taken."""
PARTS: Final = 5
"""Of the groups, each left out once to choose r."""
ALIKE: Final = 1e-12
"""Runs whose ambiguity is under this part of their mean square error are the same."""


class Moments(NamedTuple):
    """All that a fit needs of the rows.

    Attributes:
        totals: (F, P, S, K, M, M) sums of products of errors by fold, part, marking scheme and point.
        counts: (F, P, S, K) how many labelled coordinates each is a sum over.
    """

    totals: Floats
    counts: Floats


def moments(errors: Floats, fold: Ints, group: Ints, scheme: Ints, schemes: int) -> Moments:
    """Sum up errors.

    Args:
        errors: (M, N, K, 2) predicted minus labelled, NaN where not labelled.
        fold: (N,) the fold that holds each row out.
        group: (N,) rows that share a number are never parted.
        scheme: (N,) marking scheme of each row, under `schemes`.
    """
    m, _, k, _ = errors.shape
    folds = int(fold.max()) + 1
    part = np.unique(group, return_inverse=True)[1] % PARTS
    total, count = np.zeros((folds, PARTS, schemes, k, m, m)), np.zeros((folds, PARTS, schemes, k))
    for f, p, s in np.ndindex(folds, PARTS, schemes):
        some = errors[:, (fold == f) & (part == p) & (scheme == s)]
        known = np.isfinite(some)
        zeroed = np.moveaxis(np.where(known, some, 0), 2, 0).reshape(k, m, -1)
        total[f, p, s] = zeroed @ np.swapaxes(zeroed, 1, 2)
        count[f, p, s] = known[0].sum((0, 2))
    return Moments(total, count)


def fit(known: Moments, folds: Sequence[int]) -> Floats:
    """(M, S, K) the weights by some folds' rows alone.

    A point that a marking scheme never has gets the weights by all schemes' rows; equal ones where none has it.
    """
    total, count = (np.asarray(v)[list(folds)].sum(0) for v in known)  # a new sum, so that no other fold leaves a trace
    losses = np.zeros(len(STRENGTHS))
    for part in range(PARTS):
        others = np.arange(PARTS) != part
        seen = total[others].sum(0), count[others].sum(0)
        for n, strength in enumerate(STRENGTHS):
            weights = _solve_all(*seen, strength)
            losses[n] += np.einsum("skm,skml,skl->", weights, total[part], weights)
    best, total, count = STRENGTHS[int(losses.argmin())], total.sum(0), count.sum(0)
    none = count == 0
    total, count = np.where(none[..., None, None], total.sum(0), total), np.where(none, count.sum(0), count)
    return np.moveaxis(_solve_all(total, count, best), -1, 0)


def equal(members: int, schemes: int, points: int) -> Floats:
    """(M, S, K) every run alike."""
    return np.full((members, schemes, points), 1 / members)


def _solve_all(total: Floats, count: Floats, strength: float) -> Floats:
    weights, means = np.empty(total.shape[:-1]), total / np.maximum(count, 1)[..., None, None]
    for cell in np.ndindex(count.shape):
        weights[cell] = _solve(means[cell], strength)
    return weights


def _solve(second: Floats, strength: float) -> Floats:
    """(M,) the best weights for mean products of errors (M, M).

    Under sum w = 1, |w - 1/M|^2 is |w|^2 and a constant, so with A = C/d + r the least of w'Aw is wanted. It is the
    u >= 0 that makes u'Au + (1 - sum u)^2 least, divided by its sum: both have the same KKT conditions. That is a
    non-negative least squares of A's Cholesky factor and a row of ones.
    """
    m = len(second)
    own = float(np.trace(second)) / m
    ambiguity = own - float(second.mean())
    if not np.isfinite(strength) or ambiguity <= ALIKE * own:
        return np.full(m, 1 / m)
    factor = np.linalg.cholesky(second / ambiguity + strength * np.eye(m))
    found, _ = nnls(np.vstack([factor.T, np.ones(m)]), np.append(np.zeros(m), 1.0))
    return np.asarray(found / found.sum())
