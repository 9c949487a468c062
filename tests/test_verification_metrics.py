"""Law: a figure about pairs is what counting pairs says, looks at no more than the order of scores where it may not,
and never at the fold it judges."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.metrics import log_loss as sklearn_log_loss

from kptool.dataset import Ints, Mask
from kptool.errors import DataError
from kptool.geometry import Floats
from kptool.metrics import verification as metrics

SIZES = [(2, 1), (7, 3), (31, 13), (46, 45), (101, 50)]
DECIMALS = (0, 1, 12)  # of scores: most of them tied, some, none
FIGURES = [metrics.auc, metrics.eer, lambda s, y: metrics.tar_at_far(s, y, 0.1)[0]]
RISING: list[Callable[[Floats], Floats]] = [np.exp, np.arctan, lambda s: 7 * s - 1000, lambda s: s**3 + s]


def drawn(pairs: int, same: int, decimals: int = 1, seed: int = 0) -> tuple[Floats, Mask]:
    """Scores that overlap, and which of the pairs show one person, in an order by lot."""
    rng = np.random.default_rng([seed, pairs, decimals])
    kind = rng.permutation(np.arange(pairs) < same)
    return np.round(rng.normal(0, 1, pairs) + 1.2 * kind, decimals), kind


@pytest.fixture(params=[(n, k, d) for n, k in SIZES for d in DECIMALS], ids=str)
def pairs(request: pytest.FixtureRequest) -> tuple[Floats, Mask]:
    return drawn(*request.param)


def by_counting(scores: Floats, same: Mask) -> float:
    won = [float(a > b) + float(a == b) / 2 for a in scores[same] for b in scores[~same]]
    return sum(won) / len(won)


def candidates(scores: Floats) -> Floats:
    """Every threshold that answers otherwise than its neighbour does."""
    values = np.unique(scores)
    return np.concatenate([values, (values[:-1] + values[1:]) / 2, [values[-1] + 1]])


def test_auc_is_the_share_of_pairs_of_pairs_in_their_order(pairs: tuple[Floats, Mask]) -> None:
    assert metrics.auc(*pairs) == pytest.approx(by_counting(*pairs), abs=1e-15)
    assert metrics.auc(*pairs) == pytest.approx(roc_auc_score(pairs[1], pairs[0]), abs=1e-12)


def test_roc_counts_who_is_accepted_at_each_threshold(pairs: tuple[Floats, Mask]) -> None:
    scores, same = pairs
    found = metrics.roc(scores, same)
    assert (found.far[0], found.tar[0], found.threshold[0]) == (0, 0, math.inf)
    assert (found.far[-1], found.tar[-1]) == (1, 1)
    assert len(found.far) == len(np.unique(scores)) + 1, "equal scores step together"
    for far, tar, threshold in zip(*found, strict=True):
        assert far == pytest.approx((scores[~same] >= threshold).mean(), abs=1e-15)
        assert tar == pytest.approx((scores[same] >= threshold).mean(), abs=1e-15)


@pytest.mark.parametrize("rise", RISING)
@pytest.mark.parametrize("figure", FIGURES)
def test_figures_of_order_do_not_see_a_rising_map(
    figure: Callable[[Floats, Mask], float], rise: Callable[[Floats], Floats], pairs: tuple[Floats, Mask]
) -> None:
    scores, same = pairs
    assert figure(rise(scores), same) == figure(scores, same)


def test_swapping_both_kinds_and_negating_scores_changes_neither_auc_nor_eer(pairs: tuple[Floats, Mask]) -> None:
    scores, same = pairs
    assert metrics.auc(-scores, ~same) == metrics.auc(scores, same)
    assert metrics.eer(-scores, ~same) == pytest.approx(metrics.eer(scores, same), abs=1e-14)


def test_negating_scores_alone_mirrors_the_auc(pairs: tuple[Floats, Mask]) -> None:
    scores, same = pairs
    assert metrics.auc(-scores, same) == pytest.approx(1 - metrics.auc(scores, same), abs=1e-15)


def test_eer_lies_on_the_roc_where_both_errors_are_one(pairs: tuple[Floats, Mask]) -> None:
    scores, same = pairs
    found, rate = metrics.roc(scores, same), metrics.eer(scores, same)
    t = np.linspace(0, 1, 2001)
    far, tar = (np.concatenate([a + (b - a) * t for a, b in pairwise(axis)]) for axis in found[:2])
    nearest = np.argmin(np.abs(far - (1 - tar)))
    assert rate == pytest.approx(far[nearest], abs=1e-3)
    assert rate == pytest.approx(1 - tar[nearest], abs=1e-3)


def test_eer_by_hand() -> None:
    same = np.array([True, True, True, False, False, False, False])
    scores = np.array([9.0, 8, 3, 7, 2, 1, 0])
    assert metrics.eer(scores, same) == pytest.approx(0.25)  # from (1/4, 2/3) to (1/4, 1): refused 1/3 to 0
    assert metrics.eer(np.array([2.0, 1, 2, 1]), np.array([True, True, False, False])) == 0.5


@pytest.mark.parametrize("far", [0.0, 0.01, 0.1, 0.5, 1.0])
def test_tar_at_far_is_the_best_that_any_threshold_reaches(pairs: tuple[Floats, Mask], far: float) -> None:
    scores, same = pairs
    tar, threshold = metrics.tar_at_far(scores, same, far)
    allowed = [t for t in candidates(scores) if (scores[~same] >= t).mean() <= far + 1e-12]
    assert math.isfinite(threshold)
    assert tar == pytest.approx(max(float((scores[same] >= t).mean()) for t in allowed))
    assert tar == pytest.approx((scores[same] >= threshold).mean())
    assert (scores[~same] >= threshold).mean() <= far + 1e-12


def test_a_rate_is_carried_by_ten_accepted_others() -> None:
    assert metrics.carried(99) == ()
    assert metrics.carried(100) == (0.1,)
    assert metrics.carried(1000) == (0.1, 0.01)
    assert metrics.carried(10_000) == (0.1, 0.01, 0.001)
    assert metrics.carried(300, (0.03, 0.04)) == (0.04,)


def test_best_threshold_beats_every_other_in_any_order(pairs: tuple[Floats, Mask]) -> None:
    scores, same = pairs
    found = metrics.best_threshold(scores, same)
    reached = metrics.accuracy(scores, same, found)
    assert reached == max(metrics.accuracy(scores, same, t) for t in candidates(scores))
    order = np.random.default_rng(5).permutation(len(scores))
    assert metrics.best_threshold(scores[order], same[order]) == found


def test_best_threshold_stands_in_the_middle_of_the_widest_gap() -> None:
    same = np.array([True, False, True, False])
    assert metrics.best_threshold(np.array([10.0, 4, 3, 1]), same) == 7  # 3 of 4 above 1 too, but 4 to 10 is wider
    assert metrics.best_threshold(np.array([4.0, 3, 2, 1]), same) == 1.5  # equally wide: the lowest
    assert metrics.best_threshold(np.array([1.0, 1, 0, 2]), ~same) == 0.5


def test_best_threshold_accepts_all_or_none_where_that_is_best() -> None:
    scores = np.array([0.5, 0.25, 0.75])
    for same in (np.ones(3, np.bool_), np.zeros(3, np.bool_)):
        found = metrics.best_threshold(scores, same)
        assert math.isfinite(found)
        assert metrics.accuracy(scores, same, found) == 1
    with pytest.raises(DataError, match="no pairs"):
        metrics.best_threshold(scores[:0], same[:0])


@pytest.mark.parametrize("low", [1.0, 1e300, -1e-310, 1e16])
def test_best_threshold_keeps_neighbouring_floats_apart(low: float) -> None:
    scores = np.array([low, np.nextafter(low, np.inf)])
    same = np.array([False, True])
    assert metrics.accuracy(scores, same, metrics.best_threshold(scores, same)) == 1


def folds_of(pairs: int) -> Ints:
    fold = np.random.default_rng(3).permutation(np.arange(pairs) % 4)
    fold[:3] = -1
    return fold


@pytest.mark.parametrize("judged", [0, 1, 2, 3])
def test_thresholds_and_probabilities_never_look_at_the_fold_they_judge(judged: int) -> None:
    scores, same = drawn(101, 50, 12)
    fold = folds_of(101)
    own = fold == judged
    thresholds, probability = (
        metrics.fold_thresholds(scores, same, fold),
        metrics.fold_probabilities(scores, same, fold),
    )
    assert sorted(thresholds) == [0, 1, 2, 3]
    assert thresholds[judged] == metrics.best_threshold(scores[~own & (fold >= 0)], same[~own & (fold >= 0)])
    assert np.isnan(probability[fold < 0]).all()
    assert np.isfinite(probability[fold >= 0]).all()
    relabelled = np.where(own, ~same, same)
    assert metrics.fold_thresholds(scores, relabelled, fold)[judged] == thresholds[judged]
    again = metrics.fold_probabilities(scores, relabelled, fold)
    assert (again[own] == probability[own]).all()
    assert (again[(fold >= 0) & ~own] != probability[(fold >= 0) & ~own]).any(), "the others do look at it"
    moved = np.where(own, scores + 3, scores)
    assert metrics.fold_thresholds(moved, same, fold)[judged] == thresholds[judged]


def test_pairs_of_no_fold_are_not_looked_at() -> None:
    scores, same = drawn(101, 50, 12)
    fold = folds_of(101)
    lost = np.where(fold < 0, np.nan, scores)
    assert metrics.fold_thresholds(lost, same, fold) == metrics.fold_thresholds(scores, same, fold)
    expected = metrics.fold_probabilities(scores, same, fold)
    assert np.array_equal(metrics.fold_probabilities(lost, same, fold), expected, equal_nan=True)


def test_one_fold_is_judged_on_its_own_pairs_and_gets_no_probability() -> None:
    scores, same = drawn(31, 13)
    fold = np.full(31, 2)
    assert metrics.fold_thresholds(scores, same, fold) == {2: metrics.best_threshold(scores, same)}
    assert np.isnan(metrics.fold_probabilities(scores, same, fold)).all()


def test_standard_error_is_of_the_mean_over_folds() -> None:
    values = [0.7, 0.9, 0.8, 0.75]
    mean = sum(values) / 4
    deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / 3)
    assert metrics.standard_error(values) == pytest.approx(deviation / 2)
    assert metrics.standard_error([0.5, 0.5]) == 0
    assert math.isnan(metrics.standard_error([0.5]))
    assert math.isnan(metrics.standard_error([]))


@pytest.mark.parametrize(("scale", "shift"), [(1e-3, 0.0), (4.0, -90.0), (1.0, 1e4)])
def test_platt_gives_the_same_probabilities_whatever_the_scale_of_scores(scale: float, shift: float) -> None:
    scores, same = drawn(101, 50, 12)
    fit, moved = metrics.fit_platt(scores, same), metrics.fit_platt(scale * scores + shift, same)
    assert moved.scale == pytest.approx(fit.scale / scale, rel=1e-6)
    assert moved.probability(scale * scores + shift) == pytest.approx(fit.probability(scores), abs=1e-7)


def test_platt_is_the_maximum_of_its_smoothed_likelihood(pairs: tuple[Floats, Mask]) -> None:
    scores, same = pairs
    fit = metrics.fit_platt(scores, same)
    ones, others = int(same.sum()), int((~same).sum())
    target = np.where(same, (ones + 1) / (ones + 2), 1 / (others + 2))

    def loss(one: metrics.Platt) -> float:
        z = one.scale * scores + one.shift
        return float((np.logaddexp(0, z) - target * z).sum())

    assert fit.scale >= 0
    for step in (1e-3, -1e-3):
        assert loss(fit) <= loss(fit._replace(shift=fit.shift + step)) + 1e-12
        assert loss(fit) <= loss(fit._replace(scale=fit.scale + step)) + 1e-12 or fit.scale + step < 0
    assert fit.probability(scores).mean() == pytest.approx(target.mean(), abs=1e-6), "a fitted shift keeps the mean"


def test_platt_is_finite_on_perfect_reversed_constant_and_one_sided_scores() -> None:
    same = np.arange(17) < 6
    perfect = same.astype(np.float64)
    sure = metrics.fit_platt(perfect, same)
    assert sure.probability(perfect) == pytest.approx(np.where(same, 7 / 8, 1 / 13), abs=1e-6)
    share = (6 * 7 / 8 + 11 / 13) / 17
    for scores in (-perfect, np.zeros(17), np.full(17, 1e9)):
        fit = metrics.fit_platt(scores, same)
        assert fit.scale == 0
        assert fit.probability(scores) == pytest.approx(share)
    one_kind = metrics.fit_platt(np.arange(17.0), np.ones(17, np.bool_))
    assert one_kind.scale == pytest.approx(0, abs=1e-9)
    assert one_kind.probability(np.arange(17.0)) == pytest.approx(18 / 19)
    extreme = metrics.Platt(1.0, 0.0).probability(np.array([-1e308, -800.0, 0.0, 800.0, 1e308]))
    assert extreme == pytest.approx([0, 0, 0.5, 1, 1])


def test_brier_and_log_loss_are_what_sklearn_says_and_a_half_costs_a_quarter() -> None:
    _, same = drawn(46, 17)
    p = np.random.default_rng(2).uniform(0.01, 0.99, 46)
    assert metrics.brier(p, same) == pytest.approx(brier_score_loss(same, p))
    assert metrics.log_loss(p, same) == pytest.approx(sklearn_log_loss(same, p))
    assert metrics.brier(np.full(46, 0.5), same) == 0.25
    assert metrics.log_loss(np.full(46, 0.5), same) == pytest.approx(math.log(2))
    assert math.isfinite(metrics.log_loss(np.zeros(46), same)), "a certain mistake costs much, not everything"


def test_reliability_holds_every_pair_once() -> None:
    _, same = drawn(101, 37)
    p = np.concatenate([np.arange(11) / 10, np.random.default_rng(4).uniform(0.2, 0.6, 90)])
    bins = metrics.reliability(p, same)
    assert sum(one.pairs for one in bins) == 101
    assert sum(one.pairs * one.share for one in bins) == pytest.approx(37)
    assert sum(one.pairs * one.probability for one in bins) == pytest.approx(p.sum())
    assert all(one.low - 1e-12 <= one.probability <= one.high for one in bins)
    assert [one.low for one in bins] == sorted(one.low for one in bins)
    assert metrics.reliability(np.full(5, 0.55), same[:5], bins=4)[0][:3] == (0.5, 0.75, 5)


def test_perfect_reversed_and_constant_scores() -> None:
    _, same = drawn(31, 13)
    right = same.astype(np.float64)
    told = [(metrics.auc(s, same), metrics.eer(s, same)) for s in (right, -right, np.zeros(31))]
    assert told == [(1, 0), (0, 1), (0.5, 0.5)]
    tars = [metrics.tar_at_far(s, same, 0.1)[0] for s in (right, -right, np.zeros(31))]
    assert tars == [1, 0, 0]
    best = [metrics.accuracy(s, same, metrics.best_threshold(s, same)) for s in (right, -right, np.zeros(31))]
    assert best == [1, 18 / 31, 18 / 31], "no threshold beats refusing all"


@pytest.mark.parametrize("figure", [*FIGURES, metrics.roc])
@pytest.mark.parametrize("kind", [True, False])
def test_one_kind_of_pairs_is_refused_in_words(figure: Callable[[Floats, Mask], object], kind: bool) -> None:
    with pytest.raises(DataError, match=f"all 5 pairs are of {'one person' if kind else 'two persons'}"):
        figure(np.arange(5.0), np.full(5, kind))
