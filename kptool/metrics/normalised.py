"""NME, CED, AUC, FR and PCK: distances as fractions of a length of the face they belong to.

All take distances (N, K) in px, NaN where a point is not labelled, and normalisers (N,) in px, NaN where an image has
none; such an image is left out, and it is for the caller to count it. All give fractions, not percent.
"""

from __future__ import annotations

import numpy as np

from kptool.geometry import Floats


def image_errors(away: Floats, lengths: Floats) -> Floats:
    """(N,) mean distance of an image's labelled points over its normaliser: e_i = mean_k d_ik / l_i.

    NaN where an image has no labelled point or no normaliser. No unit.
    """
    return _mean(away, axis=1) / lengths


def nme_macro(away: Floats, lengths: Floats) -> float:
    """Normalised mean error, mean over images: mean_i e_i; every image counts alike, whatever its labels' number.

    This is what papers call NME (300-W: Sagonas et al., 2016). NaN where no image has one. No unit.
    """
    return float(_mean(image_errors(away, lengths)))


def nme_micro(away: Floats, lengths: Floats) -> float:
    """Normalised mean error, pooled over points: the mean of all d_ik / l_i. No unit; NaN where there are none.

    The same as the macro one where every image has equally many labels.
    """
    return float(_mean(away / lengths[:, None]))


def ced(errors: Floats) -> tuple[Floats, Floats]:
    """The cumulative error distribution: image errors in ascending order, and the share of images up to each.

    The share of images with an error of at most e is a staircase that climbs 1 / n at each error; NaN errors are left
    out.

    Returns:
        (n,) sorted errors and (n,) shares, the last 1.
    """
    ordered = np.sort(errors[~np.isnan(errors)])
    return ordered, np.arange(1, len(ordered) + 1) / max(len(ordered), 1)


def auc(errors: Floats, threshold: float) -> float:
    """Area under the CED from 0 to the threshold t, over t: mean_i max(0, 1 - e_i / t), 0 to 1.

    Exact, not by sampling: an image of error e < t adds the rectangle from e to t (the measure of Yang et al., "An
    Empirical Study of Recent Face Alignment Methods", 2015). NaN where there are no errors.
    """
    assert threshold > 0, threshold
    return float(_mean(np.where(np.isnan(errors), np.nan, np.maximum(0, 1 - errors / threshold))))


def failure_rate(errors: Floats, threshold: float) -> float:
    """Share of the images with e_i > t, 0 to 1; NaN where there are no errors. The CED at t is 1 less this."""
    return float(_mean(np.where(np.isnan(errors), np.nan, errors > threshold)))


def pck(away: Floats, lengths: Floats, threshold: float) -> float:
    """Share of correct keypoints: labelled points with d_ik <= t l_i, over all points of all images, 0 to 1.

    After Yang and Ramanan, "Articulated Human Detection with Flexible Mixtures of Parts", 2013, with the normaliser in
    place of their box side. NaN where there are none.
    """
    limits = np.broadcast_to(threshold * lengths[:, None], away.shape)
    return float(_mean(np.where(np.isnan(away) | np.isnan(limits), np.nan, away <= limits)))


def _mean(values: Floats, axis: int | None = None) -> Floats:
    # np.nanmean would do, but for a warning on nothing at all; and it would let an infinity through unseen.
    present = ~np.isnan(values)
    total, count = np.where(present, values, 0).sum(axis), present.sum(axis)
    assert np.isfinite(total).all(), "an infinite error"
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
