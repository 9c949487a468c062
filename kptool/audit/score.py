"""From doubts about points to one number an image: how much likelier it is that something is wrong with it.

All is counted in natural logarithms of likelihood ratios, so that kinds of evidence add up in one unit. A label may be
wrong in three ways, each taken to be as likely as the others:

- the labels are off, all of them or one: L;
- the models are lost, because there is no usable face or a most unusual one: M;
- both: L + M;

score = log((e^L + e^M + e^(L+M)) / 3). Without answers of several models it is L alone. For "all of them", an image's
K doubts cannot simply be summed, because errors of one face go together: their mean counts n times, where n =
K / (1 + (K - 1)ρ) is the effective number of witnesses (Kish, "Survey Sampling", 1965) and ρ the correlation of two
points' ranks within an image, measured in this run. So rows of 4 points and of 68 are held against each other fairly.
For "one of them", the doubts' likelihood ratios are averaged. Both are taken to be alike: L is the mean of the two.

The labels of equal pictures add a fourth term to the worse of two, see `kptool.audit.copies`. Exchanged sides and
shapes do not count again: a model that has learned the shape doubts both already. They decide what to do.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from kptool.dataset import Ints
from kptool.geometry import Floats

PRIOR: Final = 0.01  # part of images that have something wrong, before anything is known of them
STRONG: Final = float(np.log((1 - PRIOR) / PRIOR))  # 4.6: from here, wrong is likelier than right
POINT: Final = float(np.log(10))  # doubt from which a single point counts as off
TAIL: Final = 2.1318  # what 5 % of a Student t of 4 degrees of freedom exceed
LEAST_WIDTH: Final = 0.1  # of the logarithm of scatter
LOST: Final = 3.0  # times the usual scatter, from which models have lost a face


def together(doubts: Floats) -> float:
    """ρ: the intraclass correlation of the points' ranks (n, K), 0 to 1; 0 where no row has two points."""
    ranks = np.full(doubts.shape, np.nan)
    for k in range(doubts.shape[1]):
        known = np.flatnonzero(np.isfinite(doubts[:, k]))
        order = np.argsort(np.argsort(doubts[known, k], kind="stable"), kind="stable")
        ranks[known, k] = (order + 0.5) / max(len(known), 1) - 0.5
    count = np.isfinite(ranks).sum(1)
    pairs = (count * (count - 1)).sum()
    if not pairs:
        return 0.0
    products = (np.nansum(ranks, axis=1) ** 2 - np.nansum(ranks**2, axis=1)).sum()
    return float(np.clip(round(products / pairs * 12, 6), 0, 1))  # ranks spread over 1 have a variance of 1/12


def of_labels(doubts: Floats, rho: float) -> Floats:
    """(n,) L of doubts (n, K), NaN = not labelled; -inf where nothing is."""
    known = np.isfinite(doubts)
    count = known.sum(1)
    mean = np.where(known, doubts, 0).sum(1) / np.maximum(count, 1)
    everything = count / (1 + (np.maximum(count, 1) - 1) * rho) * mean
    one = np.logaddexp.reduce(np.where(known, doubts, -np.inf), axis=1) - np.log(np.maximum(count, 1))
    return np.where(count > 0, np.logaddexp(everything, one) - np.log(2), -np.inf)


def scatter(voices: Floats, labelled: Floats, scheme: Ints) -> tuple[Floats, Floats]:
    """How far apart models (M, n, K, 2) answer, over what is usual of the point and scheme: (n,) median over points.

    Args:
        labelled: (n, K) NaN where not labelled; those points do not count.

    Returns:
        That, and (n,) the usual scatter in px, the median of the row's points.
    """
    apart = np.sqrt(((voices - voices.mean(0)) ** 2).sum(-1).mean(0) / 2)
    apart = np.where(np.isfinite(labelled), apart, np.nan)
    ratio, usual = np.full(len(apart), np.nan), np.full(len(apart), np.nan)
    for s in np.unique(scheme):
        rows = np.flatnonzero((scheme == s) & np.isfinite(apart).any(1))
        columns = np.isfinite(apart[rows]).any(0)
        if len(rows):
            middle = np.maximum(np.nanmedian(apart[np.ix_(rows, columns)], axis=0), 1e-9)
            own = np.nanmedian(apart[np.ix_(rows, columns)] / middle, axis=1)
            ratio[rows], usual[rows] = own / max(float(np.median(own)), 1e-9), float(np.median(middle))
    return ratio, usual


def of_models(ratio: Floats, usual: Floats, reach: float) -> Floats:
    """(n,) M of scatter over the usual; -inf up to it.

    The logarithm of scatter is a Student t of 4 degrees of freedom as wide as the set's own where the face is fine, and
    anything between the usual and the frame's half diagonal where it is not.
    """
    log = np.log(np.maximum(ratio, 1e-9))
    known = log[np.isfinite(log)]
    width = max(float(np.quantile(known, 0.95)) / TAIL, LEAST_WIDTH) if len(known) else LEAST_WIDTH
    fine = np.log(3 / 8 / width) - 2.5 * np.log1p((log / width) ** 2 / 4)
    lost = -np.log(np.maximum(np.log(reach / usual), 1))
    return np.where(log > 0, lost - fine, -np.inf)


def combine(labels: Floats, models: Floats | None) -> Floats:
    """(n,) the score of L and M."""
    if models is None:
        return labels
    either = np.logaddexp(labels, models)
    return np.asarray(np.logaddexp(either, labels + models) - np.log(3))
