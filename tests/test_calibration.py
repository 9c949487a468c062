"""Law: a calibrated radius holds what it promises on labels it never saw, whatever the errors look like."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kptool.calibration import conformal, held, own_radii, promised, radii, rank, scaled_conformal, scaled_radii
from kptool.dataset import Ints
from kptool.geometry import Floats

N, K = 331, 5


def faces(seed: int = 5) -> tuple[Floats, Ints, Ints]:
    """Distances with holes, two schemes of which the second is worse and lacks a point, and four folds."""
    rng = np.random.default_rng(seed)
    scheme = (rng.random(N) < 0.4).astype(np.int64)
    away = rng.gamma(2.0, 1.0 + scheme[:, None], (N, K))
    away[rng.random((N, K)) < 0.1] = np.nan
    away[scheme == 1, 3] = np.nan
    return away, scheme, np.arange(N) % 4


@pytest.mark.parametrize("n", [9, 10, 11, 19, 20, 69, 70, 99, 100, 101])
def test_the_radius_is_the_sorted_distance_that_the_theorem_names(n: int) -> None:
    distances = np.random.default_rng(n).permutation(np.arange(1.0, n + 1))
    wanted = (9 * (n + 1) + 9) // 10  # ceil of nine tenths, in whole numbers
    assert rank(n, 0.9) == wanted
    assert conformal(distances, 0.9) == wanted
    holes = np.concatenate([[np.nan, np.nan], distances, [np.nan]])
    assert conformal(holes, 0.9) == wanted, "what is not labelled plays no part"


@pytest.mark.parametrize(("level", "fewest"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19)])
def test_too_few_labels_give_no_radius(level: float, fewest: int) -> None:
    assert conformal(np.arange(float(fewest)), level) == fewest - 1
    assert math.isnan(conformal(np.arange(float(fewest - 1)), level))
    assert math.isnan(conformal(np.full(50, np.nan), level))


@pytest.mark.parametrize("n", [9, 23, 57])
def test_the_next_distance_is_held_as_often_as_promised_in_expectation(n: int) -> None:
    rng, times, level = np.random.default_rng(n), 6000, 0.9
    drawn = np.exp(1.5 * rng.normal(size=(times, n + 1)))  # a long tail
    share = np.mean([row[-1] <= conformal(row[:-1], level) for row in drawn])
    exact = rank(n, level) / (n + 1)  # Vovk et al.: for distances without ties this is the chance itself
    assert exact >= level
    assert share == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / times))


def test_a_scaled_radius_is_as_sure_and_narrower_where_the_spread_tells() -> None:
    rng, times, n = np.random.default_rng(8), 3000, 40
    spread = np.exp(rng.normal(size=(times, n + 1)))
    away = spread * np.abs(rng.normal(size=(times, n + 1)))
    factors = np.array([scaled_conformal(a[:-1], s[:-1]) for a, s in zip(away, spread, strict=True)])
    plain = np.array([conformal(a[:-1]) for a in away])
    assert np.mean(away[:, -1] <= factors * spread[:, -1]) == pytest.approx(37 / 41, abs=0.022)
    assert np.median(factors * spread[:, -1]) < 0.8 * np.median(plain)


def test_only_a_spread_above_nought_counts_and_its_unit_does_not() -> None:
    away, scheme, _ = faces()
    spread = np.random.default_rng(1).uniform(0.5, 2, away.shape)
    spread[::7] = np.nan
    spread[1::7] = 0
    used = np.where(spread > 0, away, np.nan)
    kept = np.isfinite(used[:, 0])
    assert scaled_conformal(away[:, 0], spread[:, 0]) == conformal(away[kept, 0] / spread[kept, 0])
    found = scaled_radii(away, spread, scheme, 2)
    np.testing.assert_allclose(scaled_radii(away, 4 * spread, scheme, 2), found / 4)
    ones = np.where(spread > 0, 3.0, np.nan)
    np.testing.assert_allclose(scaled_radii(away, ones, scheme, 2), radii(used, scheme, 2) / 3)
    assert math.isnan(scaled_conformal(away[:, 0], np.full(N, np.nan)))


def test_each_scheme_has_its_own_radius_and_the_last_row_is_of_all() -> None:
    away, scheme, _ = faces()
    found = radii(away, scheme, 2, 0.8)
    assert found.shape == (3, K)
    for s in range(2):
        for k in range(K):
            expected = conformal(away[scheme == s, k], 0.8)
            assert found[s, k] == expected or (math.isnan(found[s, k]) and math.isnan(expected))
    assert found[2].tolist() == [conformal(away[:, k], 0.8) for k in range(K)]
    assert math.isnan(found[1, 3]), "a point that the scheme never marks"
    known = [0, 1, 2, 4]
    assert (found[1, known] > found[0, known]).all(), "the worse scheme"
    used = own_radii(found, scheme)
    assert (used[scheme == 1, 3] == found[2, 3]).all(), "all images stand in for a scheme without labels"
    assert (used[scheme == 0] == found[0]).all()


def test_order_of_rows_changes_nothing_and_size_only_the_unit() -> None:
    away, scheme, fold = faces()
    order = np.random.default_rng(4).permutation(N)
    np.testing.assert_array_equal(radii(away[order], scheme[order], 2), radii(away, scheme, 2))
    inside = held(away, scheme, 2, fold)
    np.testing.assert_array_equal(held(away[order], scheme[order], 2, fold[order]), inside[order])
    np.testing.assert_allclose(radii(3 * away, scheme, 2), 3 * radii(away, scheme, 2))
    np.testing.assert_array_equal(held(8 * away, scheme, 2, fold), inside)


def test_no_fold_has_a_say_in_its_own_verdict() -> None:
    away, scheme, fold = faces()
    before = held(away, scheme, 2, fold)
    changed = away.copy()
    changed[fold == 0] *= 100
    after = held(changed, scheme, 2, fold)
    others = radii(away[fold != 0], scheme[fold != 0], 2)
    told = np.isfinite(before[fold == 0])
    expected = np.where(told, changed[fold == 0] <= own_radii(others, scheme[fold == 0]), np.nan)
    np.testing.assert_array_equal(after[fold == 0], expected)
    assert np.nanmean(after[fold == 0]) < 0.1, "radii of the others know nothing of it"
    assert (after[fold == 1] >= before[fold == 1])[np.isfinite(before[fold == 1])].all(), "it widens those of others"
    # And its own labels move no radius that it is judged by: halving some of them flips none of the rest.
    some = away.copy()
    rows = np.flatnonzero(fold == 0)[::2]
    some[rows] /= 2
    rest = np.flatnonzero(fold == 0)[1::2]
    np.testing.assert_array_equal(held(some, scheme, 2, fold)[rest], before[rest])


def test_coverage_is_near_its_level_and_nan_means_no_verdict() -> None:
    shares = []
    for seed in range(20):
        away, scheme, fold = faces(seed)
        inside = held(away, scheme, 2, fold)
        assert np.array_equal(np.isnan(inside), np.isnan(away))
        assert set(np.unique(inside[~np.isnan(inside)])) <= {0.0, 1.0}
        shares.append(np.nanmean(inside))
    assert np.mean(shares) == pytest.approx(0.905, abs=0.012)


def test_rows_that_were_not_predicted_and_a_single_fold_are_not_judged() -> None:
    away, scheme, fold = faces()
    partial = np.where(fold == 2, -1, fold)
    inside = held(away, scheme, 2, partial)
    assert np.isnan(inside[fold == 2]).all()
    noisy = away.copy()
    noisy[fold == 2] = 1e6
    np.testing.assert_array_equal(held(noisy, scheme, 2, partial), inside)
    assert np.isnan(held(away, scheme, 2, np.zeros(N, dtype=np.int64))).all()


def test_the_radius_a_gaussian_promises_holds_its_own_draws() -> None:
    rng = np.random.default_rng(3)
    spread = rng.uniform(0.5, 3, 20_000)
    away = np.hypot(*(rng.normal(0, spread) for _ in range(2)))
    for level in (0.5, 0.9):
        assert np.mean(away <= promised(spread, level)) == pytest.approx(level, abs=0.01)
    assert promised(np.array([1.0]), 0.9)[0] == pytest.approx(2.1460, abs=1e-4)
    assert np.isnan(promised(np.array([np.nan]))).all()
