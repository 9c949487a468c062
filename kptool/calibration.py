"""How far off an answer may be: radii that hold a wanted share of labels, made from errors on images held out.

Split-conformal prediction (Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005; Lei et al.,
"Distribution-Free Predictive Inference for Regression", 2018): of n errors that are exchangeable with the next one, the
k-th smallest with k = ceil((n + 1) · level) is passed by the next with a chance of at most 1 - level, whatever the
errors' distribution. Nothing is fitted and no shape is assumed.

Errors are distances in px, of one frame, NaN where a point is not labelled. Those of all folds are pooled although each
fold has a model of its own: the guarantee then holds for a model like theirs, and `held` measures what became of it,
each fold judged by the others (cross-conformal: Vovk, "Cross-conformal predictors", 2015).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from kptool.dataset import Ints
from kptool.geometry import Floats

LEVEL: Final = 0.9
"""Share of labels that a radius is to hold."""


def rank(count: int, level: float = LEVEL) -> int:
    """Which of `count` sorted errors, from 1 on, is the radius: ceil((count + 1) · level); over `count` = none is."""
    assert 0 < level < 1, level
    return math.ceil((count + 1) * level - 1e-9)  # 0.9 · 70 is 63.00000000000001 or so; a rank more would be too many


def conformal(distances: Floats, level: float = LEVEL) -> float:
    """The radius that the next distance stays within with a chance of at least `level`.

    Args:
        distances: (n,) of any unit; NaN ones are left out.

    Returns:
        One of the distances; NaN where there are too few (under level / (1 - level): 9 for 0.9).
    """
    known = distances[~np.isnan(distances)]
    assert np.isfinite(known).all(), "an infinite distance"
    place = rank(len(known), level)
    return float(np.partition(known, place - 1)[place - 1]) if place <= len(known) else float("nan")


def radii(away: Floats, scheme: Ints, schemes: int, level: float = LEVEL) -> Floats:
    """Radii of each point for each marking scheme, and over all of them.

    Args:
        away: (N, K) distances of answers from labels in px of one frame, NaN where not labelled.
        scheme: (N,) from 0 to schemes - 1.

    Returns:
        (schemes + 1, K) px; the last row is over all images. NaN where too few labels tell.
    """
    rows = [scheme == s for s in range(schemes)] + [np.ones(len(away), dtype=np.bool_)]
    return np.array([[conformal(away[own, k], level) for k in range(away.shape[1])] for own in rows])


def own_radii(found: Floats, scheme: Ints) -> Floats:
    """(N, K) the radii of `radii` that each image goes by: of its scheme where that is known, else of all images."""
    return np.where(np.isnan(found[scheme]), found[-1], found[scheme])


def held(away: Floats, scheme: Ints, schemes: int, fold: Ints, level: float = LEVEL) -> Floats:
    """Whether each label lies within a radius that was made without its fold.

    Duplicates never part over folds, so no label is judged by a radius that its own copy helped to make.

    Args:
        away, scheme, schemes: as in `radii`.
        fold: (N,) which rows were held out together; those of -1 were not predicted, and play no part.

    Returns:
        (N, K) 1 where it does, 0 where not; NaN without a label or a radius, as where only one fold was run.
    """
    out = np.full(away.shape, np.nan)
    for own in np.unique(fold[fold >= 0]):
        judged, others = fold == own, (fold >= 0) & (fold != own)
        limit = own_radii(radii(away[others], scheme[others], schemes, level), scheme[judged])
        there = away[judged]
        out[judged] = np.where(np.isnan(there) | np.isnan(limit), np.nan, there <= limit)
    return out


def scaled_conformal(away: Floats, spread: Floats, level: float = LEVEL) -> float:
    """The factor q for which q · spread holds the next distance with a chance of at least `level`.

    Normalised conformal prediction (Lei et al. 2018, section 5.2): as sure as `conformal`, and narrower where the
    model knows which images are easy. `spread` may be anything over 0 that was not made from the label.

    Args:
        away: (n,) distances.
        spread: (n,) in the same px; only rows where it is finite and over 0 count.

    Returns:
        q, without unit; NaN where too few rows tell.
    """
    known = np.isfinite(spread) & (spread > 0)
    return conformal(away[known] / spread[known], level)


def scaled_radii(away: Floats, spread: Floats, scheme: Ints, schemes: int, level: float = LEVEL) -> Floats:
    """(schemes + 1, K) the factors of `scaled_conformal` for each scheme and point, as in `radii`; no unit."""
    known = np.isfinite(spread) & (spread > 0)
    return radii(np.divide(away, spread, out=np.full(away.shape, np.nan), where=known), scheme, schemes, level)


def promised(spread: Floats, level: float = LEVEL) -> Floats:
    """The radius that a model promises by its own standard deviation per coordinate, any shape, in the same px.

    The length of a plane Gaussian vector is Rayleigh's: its quantile at `level` is s · sqrt(-2 ln(1 - level)).
    """
    return np.asarray(spread * math.sqrt(-2 * math.log(1 - level)))
