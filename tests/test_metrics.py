"""Law: a metric is what a plain loop over the labelled values says, and a missing label adds nothing to it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kptool import metrics
from kptool.errors import DataError
from kptool.geometry import Floats

SIZES = [(1, 1), (1, 5), (7, 3), (13, 4), (31, 2)]


def labels(n: int, k: int, seed: int = 0) -> tuple[Floats, Floats]:
    """Predictions (all finite) and truth with about a third missing, but never all."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(40, 9, (n, k, 2))
    missing = rng.random((n, k)) < 0.35
    missing[0, 0] = False
    truth[missing] = np.nan
    return rng.normal(40, 9, (n, k, 2)), truth


def labelled_errors(predicted: Floats, truth: Floats) -> list[float]:
    return [
        float(predicted[i, k, a] - truth[i, k, a])
        for i in range(len(truth))
        for k in range(truth.shape[1])
        for a in range(2)
        if not math.isnan(truth[i, k, a])
    ]


@pytest.mark.parametrize(("n", "k"), SIZES)
def test_scores_are_what_a_plain_loop_says(n: int, k: int) -> None:
    predicted, truth = labels(n, k, seed=n)
    errors = labelled_errors(predicted, truth)
    got = metrics.residuals(predicted, truth)
    assert metrics.rmse(got) == pytest.approx(math.sqrt(sum(e * e for e in errors) / len(errors)))
    assert metrics.mae(got) == pytest.approx(sum(abs(e) for e in errors) / len(errors))
    assert int(np.isfinite(got).sum()) == len(errors)


@pytest.mark.parametrize(("n", "k"), SIZES)
def test_distances_are_euclidean_and_nan_where_not_labelled(n: int, k: int) -> None:
    predicted, truth = labels(n, k, seed=n)
    got = metrics.distances(predicted, truth)
    assert got.shape == (n, k)
    for i in range(n):
        for p in range(k):
            dx, dy = predicted[i, p] - truth[i, p]
            assert got[i, p] == pytest.approx(math.sqrt(dx * dx + dy * dy), nan_ok=True)


def test_rmse_runs_over_coordinates_as_kaggle_does() -> None:
    truth = np.array([[[10.0, 20.0], [np.nan, np.nan]], [[30.0, 40.0], [50.0, 60.0]]])
    predicted = np.array([[[13.0, 24.0], [1e9, -1e9]], [[30.0, 40.0], [50.0, 55.0]]])
    # squares 9, 16, 0, 0, 0, 25 over six labelled values; the unlabelled point says nothing
    assert metrics.rmse(metrics.residuals(predicted, truth)) == pytest.approx(math.sqrt(50 / 6))


def test_whatever_is_predicted_behind_a_missing_label_changes_nothing() -> None:
    predicted, truth = labels(13, 4)
    other = np.where(np.isnan(truth), np.nan, predicted)
    for one, two in [(predicted, other), (predicted, np.where(np.isnan(truth), 1e300, predicted))]:
        assert np.array_equal(metrics.residuals(one, truth), metrics.residuals(two, truth), equal_nan=True)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_missing_prediction_is_an_error_and_never_dropped(value: float) -> None:
    predicted, truth = labels(7, 3)
    truth[4, 1] = 12
    predicted[4, 1, 1] = value
    with pytest.raises(DataError, match="row 4, point 1, y"):
        metrics.residuals(predicted, truth)
    with pytest.raises(DataError):
        metrics.distances(predicted, truth)


def test_a_lone_labelled_coordinate_scores_but_has_no_distance() -> None:
    truth = np.array([[[5.0, np.nan]]])
    errors = metrics.residuals(np.array([[[8.0, 1.0]]]), truth)
    assert metrics.rmse(errors) == 3
    assert np.isnan(metrics.lengths(errors)).all()


def test_nothing_labelled_has_no_score() -> None:
    errors = np.full((3, 2, 2), np.nan)
    assert math.isnan(metrics.rmse(errors))
    assert math.isnan(metrics.mae(errors))
    assert math.isnan(metrics.rmse(np.empty((0, 2, 2))))


def test_rmse_of_a_concatenation_is_pooled_not_averaged() -> None:
    a, b = metrics.residuals(*labels(5, 3, 1)), 4 * metrics.residuals(*labels(11, 3, 2))
    both, n, m = metrics.rmse(np.concatenate([a, b])), np.isfinite(a).sum(), np.isfinite(b).sum()
    assert both == pytest.approx(math.sqrt((n * metrics.mse(a) + m * metrics.mse(b)) / (n + m)))
    assert both != pytest.approx((metrics.rmse(a) + metrics.rmse(b)) / 2)


def test_scores_do_not_depend_on_the_order_of_rows_or_points() -> None:
    predicted, truth = labels(13, 4)
    rng = np.random.default_rng(3)
    rows, points = rng.permutation(13), rng.permutation(4)
    one = metrics.residuals(predicted, truth)
    two = metrics.residuals(predicted[rows][:, points], truth[rows][:, points])
    assert metrics.rmse(two) == pytest.approx(metrics.rmse(one))
    assert metrics.mae(two) == pytest.approx(metrics.mae(one))
    assert np.allclose(metrics.mean_shape(truth[rows][:, points]), metrics.mean_shape(truth)[points], equal_nan=True)


def test_mean_shape_is_the_mean_of_the_labels_there_are() -> None:
    truth = np.array([[[1.0, 2.0], [7.0, 8.0]], [[3.0, 6.0], [np.nan, np.nan]], [[np.nan, np.nan]] * 2])
    assert metrics.mean_shape(truth).tolist() == [[2, 4], [7, 8]]
    assert np.isnan(metrics.mean_shape(np.full((3, 2, 2), np.nan))).all()


@pytest.mark.parametrize(
    "fold", [[0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 1], [-1, -1, 4, 4, -1, 0, 4, 0, 4, -1, -1, 0, 0]]
)
def test_the_baseline_never_sees_the_fold_it_answers(fold: list[int]) -> None:
    _, truth = labels(13, 4)
    folds = np.array(fold)
    got = metrics.mean_shape_baseline(truth, folds)
    for i in range(13):
        others = [j for j in range(13) if fold[j] != fold[i]]
        assert np.allclose(got[i], metrics.mean_shape(truth[others]))
    held_out = folds == folds[2]
    changed = np.where(held_out[:, None, None], truth + 100, truth)
    assert np.array_equal(metrics.mean_shape_baseline(changed, folds)[held_out], got[held_out])


def test_a_point_unknown_outside_the_fold_still_gets_an_answer_and_is_scored() -> None:
    truth = np.array([[[4.0, 4.0], [9.0, 9.0], [1.0, 1.0]], [[2.0, 6.0], [np.nan, np.nan], [6.0, 2.0]]])
    got = metrics.mean_shape_baseline(truth, np.array([0, 1]))
    assert got[0].tolist() == [[2, 6], [4, 4], [6, 2]]  # the middle of the other points, by the docstring
    assert np.isfinite(got).all()
    assert np.isfinite(metrics.residuals(got, truth)).sum() == np.isfinite(truth).sum()


def test_no_label_outside_a_fold_is_an_error() -> None:
    _, truth = labels(7, 3)
    with pytest.raises(DataError, match="no label outside fold 0"):
        metrics.mean_shape_baseline(truth, np.zeros(7, dtype=np.int64))


def test_the_mix_of_the_sets_own_shares_is_its_pooled_rmse() -> None:
    a, b = metrics.residuals(*labels(5, 3, 1)), 3 * metrics.residuals(*labels(11, 3, 2))
    n, m = int(np.isfinite(a).sum()), int(np.isfinite(b).sum())
    mixed = metrics.rmse_mix([metrics.mse(a), metrics.mse(b)], [n / (n + m), m / (n + m)])
    assert mixed == pytest.approx(metrics.rmse(np.concatenate([a, b])))


def test_the_mix_weights_squares() -> None:
    assert metrics.rmse_mix([1.0, 9.0], [0.25, 0.75]) == pytest.approx(math.sqrt(7))
    assert metrics.rmse_mix([4.0, math.nan], [1.0, 0.0]) == 2
    assert math.isnan(metrics.rmse_mix([4.0, math.nan], [0.9, 0.1]))
    with pytest.raises(AssertionError):
        metrics.rmse_mix([1.0, 1.0], [0.5, 0.6])
