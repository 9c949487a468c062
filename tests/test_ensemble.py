"""Law: weights are honest: no fold's weights know its labels, alike runs stay alike, and noise is left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from kptool.competitions import Found, find
from kptool.config import Recipe
from kptool.ensemble import Joined, check_weights, equal, fit, gain, moments, weigh
from kptool.ensemble.weights import STRENGTHS, _solve
from kptool.errors import QualityError, UsageError
from kptool.geometry import Floats, identity
from kptool.members import mix
from kptool.report.outcome import Outcome
from kptool.report.scored import scored
from kptool.runs import Run
from kptool.schema import Schema
from kptool.schemes import Schemes
from kptool.views import pool

N, K, FOLDS = 301, 3, 4
SCHEMES = Schemes(np.array([[True, True, True], [True, False, True]]), ("3 points", "2 points"))
SCHEMA = Schema("own", ("a", "b", "c"), scale_pair=(0, 2))


def outcome(rng: np.random.Generator, metric: Literal["rmse", "mae", "nme"] = "rmse") -> Outcome:
    """Labels in groups of one to three images, in two marking schemes, with a hole here and there."""
    group = np.sort(rng.integers(0, N // 2, N))
    scheme = (group % 3 == 0).astype(np.int64)
    truth = np.array([[10.0, 20], [35, 44], [70, 21]]) + rng.normal(0, 5, (N, K, 2))
    truth[~SCHEMES.masks[scheme]] = np.nan
    truth[7, 2] = truth[9, 0, 1] = np.nan
    return Outcome(
        title="Own",
        run="run",
        recipe_name="default",
        recipe_digest="d",
        data_digest="e",
        schema=SCHEMA,
        size=(96, 80),
        to_frame=identity(N),
        boxes=None,
        sizes=np.tile([96, 80], (N, 1)),
        metric=metric,
        normaliser="inter-ocular",
        ids=np.array([f"i{n}" for n in range(N)]),
        truth=truth,
        predicted=truth,
        spread=np.full((N, K), np.nan),
        fold=group % FOLDS,
        scheme=scheme,
        schemes=SCHEMES,
        test_mix=None,
        group=group,
        seconds=None,
        images_per_second=None,
        device="cpu",
        precision="fp32",
        keep="last",
        label_shift=None,
        views="plain",
    )


def joined(errors: Floats, seed: int = 0, metric: Literal["rmse", "mae", "nme"] = "rmse") -> Joined:
    """Runs that are off the labels by errors (M, N, K, 2); where nothing is labelled, off the middle."""
    first = outcome(np.random.default_rng(seed), metric)
    points = np.where(np.isfinite(first.truth), first.truth, 40.0) + errors
    run = Run(Path("run"), Found(find("demo").competition, Path()), Recipe())
    outcomes = tuple(replace(first, predicted=one) for one in points)
    return Joined((run,) * len(errors), outcomes, points, np.abs(errors).mean(-1))


def noise(*widths: float, seed: int = 1) -> Floats:
    """Errors that all runs share, and each run's own."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(0, 1, (N, K, 2))
    return np.stack([shared + rng.normal(0, width, (N, K, 2)) for width in widths])


def told(found: Joined) -> Any:
    first = found.first
    assert first.group is not None
    return moments(found.points - first.truth, first.fold, first.group, first.scheme, len(SCHEMES))


# --- mixtures ---


def test_equal_weights_are_the_pool_of_views() -> None:
    rng = np.random.default_rng(0)
    points, spread = rng.normal(0, 9, (5, 7, K, 2)), rng.uniform(0.1, 3, (5, 7, K))
    for mine, theirs in zip(mix(points, spread, np.full((5, 7, K), 0.2)), pool(points, spread), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-12)


def test_a_mixture_of_mixtures_is_the_mixture_by_products() -> None:
    rng = np.random.default_rng(0)
    points, spread = rng.normal(0, 9, (3, 7, K, 2)), rng.uniform(0.1, 3, (3, 7, K))
    inner, outer = rng.dirichlet([1, 1], (7, K)), rng.dirichlet([1, 1], (7, K))
    one = mix(points[:2], spread[:2], np.moveaxis(inner, -1, 0))
    both = mix(np.stack([one[0], points[2]]), np.stack([one[1], spread[2]]), np.moveaxis(outer, -1, 0))
    flat = np.stack([outer[..., 0] * inner[..., 0], outer[..., 0] * inner[..., 1], outer[..., 1]])
    for nested, whole in zip(both, mix(points, spread, flat), strict=True):
        np.testing.assert_allclose(nested, whole, rtol=0, atol=1e-12)


def test_the_spread_of_a_mixture_is_that_of_draws_from_it() -> None:
    rng, weights = np.random.default_rng(0), np.array([0.2, 0.8])
    at, deviation = np.array([[3.0, -1.0], [5.0, 2.0]]), np.array([1.5, 0.5])
    which = (rng.random(400_000) < weights[1]).astype(int)
    drawn = at[which] + rng.normal(0, 1, (len(which), 2)) * deviation[which, None]
    mean, spread = mix(at[:, None, None], deviation[:, None, None], weights[:, None, None])
    np.testing.assert_allclose(mean[0, 0], drawn.mean(0), atol=0.01)
    np.testing.assert_allclose(spread[0, 0] ** 2, drawn.var(0).mean(), rtol=0.01)


def test_an_answer_of_no_weight_plays_no_part() -> None:
    points, spread = np.ones((2, 1, K, 2)), np.ones((2, 1, K))
    points[1], spread[1] = np.nan, np.nan
    weights = np.zeros((2, 1, K))
    weights[0] = 1
    mean, deviation = mix(points, spread, weights)
    assert (mean == 1).all()
    assert (deviation == 1).all()
    weights[:, 0, 1] = 0.5
    assert np.isnan(mix(points[:1].repeat(2, 0), spread, weights)[1][0]).tolist() == [False, True, False]


# --- fits ---


@pytest.mark.parametrize("strength", STRENGTHS)
def test_no_other_weights_do_better(strength: float) -> None:
    rng = np.random.default_rng(3)
    for m in (2, 3, 5):
        errors = rng.normal(0, 1, (m, 40)) * rng.uniform(0.5, 4, (m, 1)) + rng.normal(0, 2, 40)
        second = errors @ errors.T / 40
        ambiguity = np.trace(second) / m - second.mean()

        def loss(w: Floats, second: Floats = second, d: float = ambiguity, m: int = m) -> Floats:
            pull = 0 if np.isinf(strength) else strength * d * ((w - 1 / m) ** 2).sum(-1)
            return np.asarray(np.einsum("...m,ml,...l->...", w, second, w) + pull)

        best = _solve(second, strength)
        assert (best >= 0).all()
        assert best.sum() == pytest.approx(1, abs=1e-12)
        if np.isinf(strength):
            np.testing.assert_allclose(best, 1 / m)
            continue
        others = np.concatenate([rng.dirichlet(np.ones(m), 4000), 0.99 * best + 0.01 * np.eye(m)])
        assert (loss(others) >= loss(best) - 1e-9).all()


def test_weights_are_shares_and_follow_neither_px_nor_place_nor_order() -> None:
    found = joined(noise(0.5, 1.0, 2.0))
    known = told(found)
    weights = fit(known, range(FOLDS))
    assert weights.shape == (3, 2, K)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(0), 1, rtol=0, atol=1e-12)
    assert (weights[0] > weights[2]).all(where=SCHEMES.masks)
    np.testing.assert_array_equal(weights[:, 1, 1], weights[:, 0, 1])  # nothing is labelled there
    larger = known._replace(totals=known.totals * 1e6)
    np.testing.assert_allclose(fit(larger, range(FOLDS)), weights, rtol=0, atol=1e-9)
    moved = replace(found.first, truth=found.first.truth + 1000)
    away = Joined(found.runs, (moved, *found.outcomes[1:]), found.points + 1000, found.spread)
    np.testing.assert_allclose(weigh(away).weights, weigh(found).weights, rtol=0, atol=1e-6)
    order = [2, 0, 1]
    turned = told(replace(found, points=found.points[order]))
    np.testing.assert_allclose(fit(turned, range(FOLDS)), weights[order], rtol=0, atol=1e-9)
    known.counts[:, :, :, 0] = known.totals[:, :, :, 0] = 0
    np.testing.assert_allclose(fit(known, range(FOLDS))[..., 0], 1 / 3, rtol=0, atol=1e-12)


def test_each_scheme_and_point_has_its_own() -> None:
    errors = noise(1.0, 1.0)
    first = joined(errors).first
    own = np.random.default_rng(5).normal(0, 3, errors.shape)
    errors[0, first.scheme == 1] += own[0, first.scheme == 1]
    errors[1, first.scheme == 0, 2] += own[1, first.scheme == 0, 2]
    weights = fit(told(joined(errors)), range(FOLDS))
    assert (weights[0, 1, [0, 2]] < 0.3).all()
    assert weights[0, 0, 2] > 0.7
    np.testing.assert_allclose(weights[0, 0, :2], 0.5, atol=0.2)


def test_noise_gets_no_weight() -> None:
    found = joined(np.stack([noise(0.1)[0], noise(25.0, seed=2)[0]]))
    weighed = weigh(found)
    assert weighed.how == "fit"
    assert weighed.gain is not None
    assert weighed.gain.real
    assert (weighed.weights[1] < 0.01).all(where=SCHEMES.masks)
    one = scored(replace(found.first, predicted=found.points[0]))
    mixed = scored(replace(found.first, predicted=weighed.points))
    assert mixed.leading(mixed.errors) < 1.01 * one.leading(one.errors)


@pytest.mark.parametrize("seed", range(1, 5))  # a gain under 1.0 standard errors is luck; one over it may be
def test_alike_runs_are_averaged_and_the_reason_is_told(seed: int) -> None:
    found = joined(noise(1.0, 1.0, seed=seed))
    weighed = weigh(found)
    assert weighed.how == "equal"
    assert (weighed.weights == 0.5).all()
    assert weighed.gain is not None
    assert weighed.gain.value <= weighed.gain.error
    np.testing.assert_array_equal(weighed.points, found.points.mean(0))
    with pytest.raises(QualityError, match=r"^fitted weights gain -?0\.\d+ px out of fold, no more than its standard"):
        weigh(found, "fit")


def test_the_same_run_twice_is_that_run() -> None:
    found = joined(np.repeat(noise(1.0), 2, axis=0))
    weighed = weigh(found)
    assert weighed.how == "equal"
    np.testing.assert_allclose(weighed.points, found.points[0], rtol=0, atol=1e-9)
    np.testing.assert_allclose(weighed.spread, found.spread[0], rtol=0, atol=1e-9)


def test_one_run_is_itself_and_nothing_is_fitted() -> None:
    found = joined(noise(1.0))
    weighed = weigh(found)
    assert (weighed.how, weighed.gain) == ("equal", None)
    np.testing.assert_array_equal(weighed.points, found.points[0])


def test_a_word_that_is_no_way_to_weigh() -> None:
    with pytest.raises(UsageError, match=r"--weights best; it is auto, equal or fit"):
        check_weights("best")


# --- nested ---


def test_out_of_fold_mixtures_have_weights_of_the_other_folds() -> None:
    found = joined(noise(0.3, 2.0))
    weighed, known, first = weigh(found), told(found), found.first
    assert weighed.how == "fit"
    np.testing.assert_array_equal(weighed.weights, fit(known, range(FOLDS)))
    for fold in range(FOLDS):
        rows = first.fold == fold
        weights = fit(known, [k for k in range(FOLDS) if k != fold])[:, first.scheme[rows]]
        by_hand = (weights[..., None] * found.points[:, rows]).sum(0)
        np.testing.assert_allclose(weighed.points[rows], by_hand, rtol=0, atol=1e-12)


def test_no_folds_weights_know_its_labels() -> None:
    found = joined(noise(0.3, 2.0, 0.6))
    before = weigh(found)
    for fold in range(FOLDS):
        rows = found.first.fold == fold
        truth = found.first.truth.copy()
        truth[rows] += np.random.default_rng(fold).normal(0, 3, truth[rows].shape)
        changed = replace(found.first, truth=truth)
        after = weigh(replace(found, outcomes=(changed, *found.outcomes[1:])))
        assert after.how == "fit"
        assert after.points[rows].tobytes() == before.points[rows].tobytes()
        assert after.points[~rows].tobytes() != before.points[~rows].tobytes()


# --- gains ---


@pytest.mark.parametrize("metric", ["rmse", "mae", "nme"])
def test_the_gain_is_the_metrics_and_its_error_the_jackknife(metric: Literal["rmse", "mae", "nme"]) -> None:
    found = joined(noise(2.0, 1.0), metric=metric)
    plain, other = (scored(replace(found.first, predicted=one)) for one in found.points)
    group = found.first.group
    assert group is not None
    got = gain(plain, other, group)
    assert (got.name, got.unit) == (metric.upper(), "%" if metric == "nme" else "px")
    assert got.value == pytest.approx(plain.leading(plain.errors) - other.leading(other.errors))
    left = np.array(
        [plain.leading(plain.errors, group != g) - other.leading(other.errors, group != g) for g in np.unique(group)]
    )
    count = len(left)
    assert got.error == pytest.approx(np.sqrt((count - 1) / count * ((left - left.mean()) ** 2).sum()))
    assert got.error != pytest.approx(gain(plain, other, None).error)
    assert not gain(plain, other, np.zeros(N, dtype=np.int64)).real, "one group is sure of nothing"


def test_the_nme_weighs_each_face_by_its_length() -> None:
    errors = noise(0.2, 0.2)
    first = joined(errors, metric="nme").first
    far = np.isfinite(first.truth[:, [0, 2]]).all((1, 2)) & (np.arange(N) % 2 == 0)
    truth = first.truth.copy()
    truth[far] *= 50  # giants, on whom the second run is better in px
    errors[0, far] += np.random.default_rng(1).normal(0, 8, errors[0, far].shape)
    errors[1, ~far] += np.random.default_rng(2).normal(0, 4, errors[1, ~far].shape)
    points = np.where(np.isfinite(truth), truth, 40.0) + errors
    weights = {}
    for metric in ("nme", "rmse"):
        own = replace(first, truth=truth, metric=metric)
        found = replace(joined(errors), outcomes=(own, own), points=points)
        weighed = weigh(found)
        assert weighed.how == "fit", weighed.gain
        weights[metric] = weighed.weights[0, 0].mean()
    assert weights["nme"] > 0.6 > 0.4 > weights["rmse"]


def test_equal_weights() -> None:
    assert (equal(4, 2, K) == 0.25).all()
