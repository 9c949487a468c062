"""RMSE, MAE and distances in px, and the mean shape that every score is held against.

Two kinds of figure, which must not be mixed up. RMSE and MAE run over coordinates, x and y apart, as Kaggle scores
them. A distance is the Euclidean one between two points. With equal errors either way, rms distance = sqrt(2) x RMSE.

A score is never taken over fewer labels than there are: a missing prediction is an error, not a missing label.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kptool.dataset import Ints
from kptool.errors import DataError
from kptool.geometry import Floats


def residuals(predicted: Floats, truth: Floats) -> Floats:
    """Predicted minus labelled, for points (N, K, 2) in one frame: NaN where a coordinate is not labelled.

    Raises:
        DataError: a labelled coordinate has no finite prediction.
    """
    assert predicted.shape == truth.shape, (predicted.shape, truth.shape)
    labelled = np.isfinite(truth)
    lost = labelled & ~np.isfinite(predicted)
    if lost.any():
        row, point, axis = (int(v) for v in np.argwhere(lost)[0])
        raise DataError(
            f"{int(lost.sum())} labelled coordinates have no prediction; the first is row {row}, point {point}, "
            f"{'xy'[axis]}",
            "predict every labelled row again",
        )
    return np.where(labelled, predicted, np.nan) - truth


def mse(errors: npt.ArrayLike) -> float:
    """Mean square of the residuals that are not NaN, any shape; NaN where there are none."""
    return _mean(np.square(np.asarray(errors, dtype=np.float64)))


def rmse(errors: npt.ArrayLike) -> float:
    """Root mean square over all labelled coordinates: sqrt(mean (predicted - truth)^2), in px.

    This is the score of Kaggle's Facial Keypoints Detection
    (https://www.kaggle.com/c/facial-keypoints-detection/overview/evaluation). It is pooled: the RMSE of two sets
    together is that of their concatenation, not the mean of their RMSEs. NaN where nothing is labelled.
    """
    return float(np.sqrt(mse(errors)))


def mae(errors: npt.ArrayLike) -> float:
    """Mean absolute residual over all labelled coordinates, in px; NaN where nothing is labelled."""
    return _mean(np.abs(np.asarray(errors, dtype=np.float64)))


def distances(predicted: Floats, truth: Floats) -> Floats:
    """(N, K) Euclidean distances of points (N, K, 2), in px; NaN where a point lacks a labelled coordinate.

    Raises:
        DataError: a labelled coordinate has no finite prediction.
    """
    return lengths(residuals(predicted, truth))


def lengths(errors: Floats) -> Floats:
    """(...,) Euclidean lengths of residuals (..., 2); NaN where either coordinate is."""
    return np.asarray(np.hypot(errors[..., 0], errors[..., 1]))


def mean_shape(points: Floats) -> Floats:
    """(K, 2) mean of each coordinate over the rows of (N, K, 2) that have it; NaN where none has."""
    labelled = np.isfinite(points)
    total, count = np.where(labelled, points, 0).sum(0), labelled.sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def mean_shape_baseline(points: Floats, fold: Ints) -> Floats:
    """(N, K, 2) what one predicts without looking: each row gets the mean shape of the rows outside its fold.

    Fold -1 means a row whose fold was not run; like any other fold it is training data for the rest. The result is
    always finite, so that the baseline is scored over the very labels the model is: a point that no row outside the
    fold has gets the middle of the mean shape's other points, the best guess without an example.

    Args:
        points: (N, K, 2) labels, NaN where not labelled.
        fold: (N,) which rows are held out together.

    Raises:
        DataError: nothing is labelled outside some fold.
    """
    assert len(points) == len(fold), (len(points), len(fold))
    out = np.empty_like(points)
    for held_out in np.unique(fold):
        shape = mean_shape(points[fold != held_out])
        known = np.isfinite(shape)
        if not known.any(0).all():
            raise DataError(f"no label outside fold {held_out}, so there is no mean shape", "label more than one fold")
        out[fold == held_out] = np.where(known, shape, mean_shape(shape))
    return out


def rmse_mix(mse_by_scheme: Sequence[float], shares: Sequence[float]) -> float:
    """The pooled RMSE of a set in which scheme s makes up the fraction shares[s] of the coordinates, in px.

    sqrt(sum of shares[s] x mse_by_scheme[s]). A scheme with a share but no score (NaN) makes the result NaN; one
    without a share plays no part.
    """
    assert len(mse_by_scheme) == len(shares), (len(mse_by_scheme), len(shares))
    assert abs(sum(shares) - 1) < 1e-6, shares
    return float(np.sqrt(sum(share * mse for mse, share in zip(mse_by_scheme, shares, strict=True) if share > 0)))


def _mean(values: Floats) -> float:
    # np.nanmean would do, but for a warning on nothing at all; and it would let an infinity through unseen.
    present = values[~np.isnan(values)]
    assert np.isfinite(present).all(), "an infinite error"
    return float(present.mean()) if present.size else float("nan")
