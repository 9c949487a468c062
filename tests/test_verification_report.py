"""Law: the report on pairs says what counting them by hand says, whatever their order, and warns where it must."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from made_pairs import made_history, made_pairs

from kptool.config import Recipe, parse
from kptool.dataset import Ints
from kptool.engine.history import Epoch
from kptool.errors import DataError
from kptool.metrics import verification as metrics
from kptool.verification import PairOutcome, PairReport, build, to_json
from kptool.verification.figures import STEPS
from kptool.verification.rows import SHOWN
from kptool.verification.thinning import thinned
from kptool.verification.warnings import auc_error

MADE: list[dict[str, Any]] = [{}, {"pairs": 31, "people": 23, "folds": 5}, {"pairs": 301, "people": 103, "seed": 4}]
LARGE = made_pairs(701, 301, 5, seed=2)
OF_PAIRS = ("ids", "first", "second", "same", "score", "classical", "fold", "group")


@pytest.fixture(params=MADE, ids=str)
def made(request: pytest.FixtureRequest) -> PairOutcome:
    return made_pairs(**request.param)


def take(outcome: PairOutcome, rows: Ints) -> PairOutcome:
    """The same pictures, of some pairs."""
    changes: dict[str, Any] = {name: getattr(outcome, name)[rows] for name in OF_PAIRS}
    return replace(outcome, **changes)


def by_hand(outcome: PairOutcome) -> dict[int, tuple[float, npt.NDArray[np.bool_]]]:
    """Of each fold its threshold, from the pairs of the others, and which of its pairs are accepted."""
    out = {}
    for k in sorted(set(outcome.fold.tolist())):
        own = outcome.fold == k
        values = np.unique(outcome.score[~own])
        gaps = [(b - a, (a + b) / 2) for a, b in pairwise(values)]
        ends = [(0.0, values[0]), (0.0, np.nextafter(values[-1], np.inf))]
        ranked = [
            (int(((outcome.score[~own] >= t) == outcome.same[~own]).sum()), width, -t) for width, t in gaps + ends
        ]
        threshold = -max(ranked)[2]
        out[k] = (threshold, outcome.score[own] >= threshold)
    return out


def warned(report: PairReport, words: str) -> list[str]:
    return [line for line in report.warnings if words in line]


def test_accuracy_is_the_mean_over_folds_of_what_their_thresholds_answer(made: PairOutcome) -> None:
    report, hand = build(made), by_hand(made)
    assert [fold.fold for fold in report.folds] == sorted(hand)
    each = []
    for fold in report.folds:
        threshold, accepted = hand[fold.fold]
        own = made.fold == fold.fold
        same, others = made.same[own], ~own
        each.append(float((accepted == same).mean()))
        assert fold.threshold == pytest.approx(threshold, abs=1e-12)
        assert fold.honest
        assert (fold.pairs, fold.same) == (int(own.sum()), int(same.sum()))
        assert fold.accuracy == pytest.approx(each[-1])
        assert fold.accuracy_in == pytest.approx(((made.score[others] >= threshold) == made.same[others]).mean())
        assert fold.false_accept == pytest.approx(accepted[~same].mean())
        assert fold.false_reject == pytest.approx(1 - accepted[same].mean())
        assert fold.auc == metrics.auc(made.score[own], same)
        assert fold.eer == metrics.eer(made.score[own], same)
    assert report.model.accuracy == pytest.approx(sum(each) / len(each))
    assert report.model.standard_error == pytest.approx(np.std(each, ddof=1) / math.sqrt(len(each)))


def test_figures_over_all_pairs_are_of_all_pairs(made: PairOutcome) -> None:
    report = build(made)
    probability = metrics.fold_probabilities(made.score, made.same, made.fold)
    assert report.model.auc == metrics.auc(made.score, made.same)
    assert report.model.eer == metrics.eer(made.score, made.same)
    assert report.model.brier == pytest.approx(metrics.brier(probability, made.same))
    assert report.model.log_loss == pytest.approx(metrics.log_loss(probability, made.same))
    assert report.model.chance_brier == pytest.approx(made.same.mean() * (1 - made.same.mean()))
    assert report.classical is not None
    assert report.classical.auc == metrics.auc(made.classical, made.same)
    different = int((~made.same).sum())
    assert [one.far for one in report.model.accepted] == list(metrics.carried(different))
    for one in report.model.accepted:
        assert one.others == int(one.far * different + 1e-9) >= 10
        assert (one.tar, one.threshold) == metrics.tar_at_far(made.score, made.same, one.far)


def test_no_rate_is_told_that_few_pairs_decide() -> None:
    assert build(made_pairs(46)).model.accepted == ()
    assert [one.far for one in build(made_pairs(2100, 903, 3)).model.accepted] == [0.1, 0.01]


def test_a_threshold_does_not_move_with_the_labels_of_its_own_fold(made: PairOutcome) -> None:
    before = build(made).folds
    for fold in before:
        flipped = replace(made, same=np.where(made.fold == fold.fold, ~made.same, made.same))
        after = next(one for one in build(flipped).folds if one.fold == fold.fold)
        assert after.threshold == fold.threshold
        assert after.accuracy == pytest.approx(1 - fold.accuracy)


def test_the_order_of_pairs_changes_no_figure_and_moves_rows_alone(made: PairOutcome) -> None:
    order = np.random.default_rng(8).permutation(len(made.ids))
    before, after = build(made), build(take(made, order))
    for field in fields(PairReport):
        if field.name not in ("hardest", "surest"):
            assert to_json(after)[field.name] == to_json(before)[field.name], field.name
    for old, new in ((before.hardest, after.hardest), (before.surest, after.surest)):
        assert [replace(row, row=int(order[row.row])) for row in new] == list(old)


def test_a_fold_that_was_not_run_is_left_out() -> None:
    known = LARGE.fold != 3
    rest = build(take(LARGE, np.flatnonzero(known)))
    score, classical = np.where(known, LARGE.score, np.nan), np.where(known, LARGE.classical, np.nan)
    report = build(replace(LARGE, fold=np.where(known, LARGE.fold, -1), score=score, classical=classical))
    assert (report.about.scored, report.about.pairs) == (int(known.sum()), 701)
    for name in ("model", "classical", "gain", "gain_low", "gain_high", "folds", "roc", "histogram", "people"):
        assert to_json(report)[name] == to_json(rest)[name], name
    assert warned(report, "Only 4 folds were run")
    assert not warned(build(LARGE), "were run")
    with pytest.raises(DataError, match="no fold has scored"):
        build(replace(LARGE, fold=np.full(701, -1)))


def test_one_fold_alone_is_said_to_flatter_and_has_no_probability() -> None:
    report = build(replace(LARGE, fold=np.where(LARGE.fold == 1, 1, -1)))
    (fold,) = report.folds
    own = LARGE.fold == 1
    assert not fold.honest
    assert fold.threshold == metrics.best_threshold(LARGE.score[own], LARGE.same[own])
    assert math.isnan(fold.accuracy_in)
    assert math.isnan(report.model.standard_error)
    assert math.isnan(report.model.brier)
    assert report.calibration == ()
    assert report.hardest
    assert all(math.isnan(row.confidence) for row in report.hardest)
    away = [abs(row.score - fold.threshold) for row in report.hardest]
    assert away == sorted(away, reverse=True)
    assert warned(report, "Only fold 1 was run")


def test_pairs_that_repeat_inside_their_group_make_no_interval_narrower() -> None:
    thrice = take(LARGE, np.tile(np.arange(701), 3))
    thrice = replace(thrice, ids=np.array([f"{one} {n // 701}" for n, one in enumerate(thrice.ids)]))
    before, after = build(LARGE), build(thrice)
    for one, other in ((before.model, after.model), (before.classical, after.classical)):
        assert one is not None
        assert other is not None
        assert (other.low, other.high) == pytest.approx((one.low, one.high), abs=1e-12)
    assert (after.gain_low, after.gain_high) == pytest.approx((before.gain_low, before.gain_high), abs=1e-12)


def test_the_interval_of_lone_pairs_is_the_binomial_one() -> None:
    alone = replace(LARGE, group=np.arange(701))
    model = build(alone).model
    pooled = np.mean([row for fold in build(alone).folds for row in [fold.accuracy] * fold.pairs])
    half = 1.96 * math.sqrt(pooled * (1 - pooled) / 701)
    assert model.low == pytest.approx(pooled - half, abs=0.006)
    assert model.high == pytest.approx(pooled + half, abs=0.006)


def test_the_gain_is_of_the_same_pairs_under_the_same_draws() -> None:
    report = build(LARGE)
    assert report.classical is not None
    pooled = [sum(one.pairs * value for one, value in zip(report.folds, values, strict=True)) / 701 for values in (
        [one.accuracy for one in report.folds], [one.classical for one in report.folds])]  # fmt: skip
    assert report.gain == pytest.approx(pooled[0] - pooled[1])
    assert report.gain_low < report.gain < report.gain_high
    twin = build(replace(LARGE, classical=7 * LARGE.score - 3))
    assert (twin.gain, twin.gain_low, twin.gain_high) == (0, 0, 0)
    mirrored = build(replace(LARGE, score=LARGE.classical, classical=LARGE.score))
    ends = (-report.gain_high, -report.gain_low)
    assert (mirrored.gain_low, mirrored.gain_high) == pytest.approx(ends, abs=1e-12)


def test_without_a_baseline_or_with_few_groups_nothing_is_made_up() -> None:
    report = build(made_pairs(classical=False))
    assert report.classical is None
    assert report.classical_roc is None
    assert all(math.isnan(value) for value in (report.gain, report.gain_low, report.gain_high))
    assert all(math.isnan(fold.classical) for fold in report.folds)
    few = build(replace(made_pairs(), group=np.arange(46) % 9))
    assert all(math.isnan(value) for value in (few.model.low, few.model.high, few.gain_low, few.gain_high))
    assert math.isfinite(few.gain)


@pytest.mark.parametrize("decimals", [0, 1, 12])
@pytest.mark.parametrize("pairs", [46, 301, 2200])
def test_the_roc_keeps_its_corners(pairs: int, decimals: int) -> None:
    made = made_pairs(pairs, 2 * pairs // 3, seed=pairs)
    made = replace(made, score=np.round(made.score, decimals))
    whole, kept = metrics.roc(made.score, made.same), build(made).roc
    far, tar = np.array(kept.far), np.array(kept.tar)
    assert len(far) == len(tar) <= STEPS
    assert (far[0], tar[0], far[-1], tar[-1]) == (0, 0, 1, 1)
    assert set(zip(kept.far, kept.tar, strict=True)) <= set(zip(whole.far.tolist(), whole.tar.tolist(), strict=True))
    assert (np.diff(far) >= 0).all()
    assert (np.diff(tar) >= 0).all()
    area = float((np.diff(far) * (tar[1:] + tar[:-1])).sum() / 2)
    assert area == pytest.approx(metrics.auc(made.score, made.same), abs=1e-12 if len(far) < STEPS else 2e-3)
    # Along far + tar, which rises at every step, the two curves can be held against each other.
    off = np.interp(whole.far + whole.tar, far + tar, tar - far) - (whole.tar - whole.far)
    assert np.abs(off).max() < (1e-12 if len(far) < STEPS else 0.005)


def test_the_roc_keeps_what_decides_at_rare_far() -> None:
    made = made_pairs(2200, 1500, 5, seed=1)
    whole, kept = metrics.roc(made.score, made.same), build(made).roc
    # No step of either curve lies on these rates, so that each has one TAR there.
    rates = (np.geomspace(1, 400, 60).round() + 0.5) / 1100
    tars = [np.interp(rates, far, tar) for far, tar in ((whole.far, whole.tar), (np.array(kept.far), kept.tar))]
    assert np.abs(tars[0] - tars[1]).max() < 0.005


def test_a_straight_run_of_steps_is_drawn_by_its_ends() -> None:
    same = np.arange(40) < 20
    far, tar = thinned(metrics.roc(np.arange(40.0)[::-1], same), 100)
    assert (far.tolist(), tar.tolist()) == ([0, 0, 1], [0, 1, 1])
    far, tar = thinned(metrics.roc(np.zeros(40), same), 100)
    assert (far.tolist(), tar.tolist()) == ([0, 1], [0, 1])


def test_the_histogram_counts_every_pair_and_its_ends_hold_the_rest(made: PairOutcome) -> None:
    score = made.score.copy()
    score[:2] = -1e6, 1e6
    found = build(replace(made, score=score)).histogram
    assert 24 <= len(found.edges) - 1 == len(found.same) == len(found.different) <= 40
    assert (sum(found.same), sum(found.different)) == (int(made.same.sum()), int((~made.same).sum()))
    inner = found.edges[1:-1]
    for kind, counts in ((made.same, found.same), (~made.same, found.different)):
        assert counts[0] == (score[kind] < inner[0]).sum()
        assert counts[-1] == (score[kind] >= inner[-1]).sum()
        assert counts[5] == ((score[kind] >= found.edges[5]) & (score[kind] < found.edges[6])).sum()
    thresholds = [fold.threshold for fold in build(replace(made, score=score)).folds]
    assert found.threshold == pytest.approx(np.mean(thresholds))


def test_calibration_bins_hold_every_pair_once(made: PairOutcome) -> None:
    bins = build(made).calibration
    assert sum(one.pairs for one in bins) == len(made.ids)
    assert sum(one.pairs * one.share for one in bins) == pytest.approx(made.same.sum())


@pytest.mark.parametrize("name", ["hardest", "surest"])
def test_pairs_shown_are_those_answered_with_most_confidence(name: str) -> None:
    hand, rows = by_hand(LARGE), getattr(build(LARGE), name)
    probability = metrics.fold_probabilities(LARGE.score, LARGE.same, LARGE.fold)
    decision = np.array([LARGE.score[n] >= hand[int(k)][0] for n, k in enumerate(LARGE.fold)])
    sure = np.where(decision, probability, 1 - probability)
    wanted = decision == LARGE.same if name == "surest" else decision != LARGE.same
    assert len(rows) == SHOWN <= wanted.sum()
    assert [row.confidence for row in rows] == pytest.approx(np.sort(sure[wanted])[::-1][:SHOWN])
    for row in rows:
        n = row.row
        assert (row.id, row.fold, row.same) == (LARGE.ids[n], LARGE.fold[n], LARGE.same[n])
        assert (row.decision, row.score) == (decision[n], LARGE.score[n])
        assert (row.first_image, row.second_image) == (LARGE.first[n], LARGE.second[n])
        assert (row.first, row.second) == (LARGE.images[row.first_image], LARGE.images[row.second_image])


@pytest.mark.parametrize("given", [{"pairs": 31, "people": 23, "folds": 5}, {"seed": 1}], ids=str)
def test_an_answer_against_its_own_probability_is_no_sure_one(given: dict[str, Any]) -> None:
    """A threshold and a fit may disagree near the border: confidence is of the answer, whatever the fit would say."""
    made = made_pairs(**given)
    report = build(replace(made, score=np.exp(4 * made.score)))
    assert min(row.confidence for row in report.hardest) < 0.5
    for rows in (report.hardest, report.surest):
        assert [row.confidence for row in rows] == sorted((row.confidence for row in rows), reverse=True)
        assert all(row.confidence == (row.probability if row.decision else 1 - row.probability) for row in rows)


def test_people_are_told_by_their_wrong_pairs(made: PairOutcome) -> None:
    hand, told = by_hand(made), {}
    decision = np.array([made.score[n] >= hand[int(k)][0] for n, k in enumerate(made.fold)])
    for number, name in enumerate(made.people):
        of = [n for n in range(len(made.ids)) if number in (made.person[made.first[n]], made.person[made.second[n]])]
        wrong = [n for n in of if decision[n] != made.same[n]]
        if wrong:
            told[str(name)] = (len(of), len(wrong), sum(int(decision[n]) for n in wrong), wrong)
    people = build(made).people
    assert {one.person: (one.pairs, one.wrong, one.false_accepts) for one in people} == {
        name: counts[:3] for name, counts in told.items()
    }
    assert [(-one.wrong, -one.wrong / one.pairs) for one in people] == sorted(
        (-one.wrong, -one.wrong / one.pairs) for one in people
    )
    for one in people:
        assert one.false_accepts + one.false_rejects == one.wrong
        ends = [str(made.images[end]) for n in told[one.person][3] for end in (made.first[n], made.second[n])]
        own = [ends.count(image) for image in set(ends) if image.startswith(one.person)]
        assert one.worst_pairs == ends.count(one.worst) == max(own)
        assert one.worst.startswith(one.person)


def test_where_the_numbers_come_from_is_counted_and_a_leak_shown(made: PairOutcome) -> None:
    about = build(made).about
    assert (about.pairs, about.scored) == (len(made.ids), len(made.ids))
    assert (about.same, about.images) == (int(made.same.sum()), len(made.images))
    assert (about.people, about.groups) == (len(made.people), len(np.unique(made.group)))
    assert (about.naive_leak, about.own_leak) == (made.naive_leak, 0)
    torn = made.fold.copy()
    pair = int(np.flatnonzero(~made.same)[0])
    torn[pair] = (torn[pair] + 1) % (int(torn.max()) + 1)
    people = made.person[np.stack([made.first, made.second])]
    seen = [
        bool(np.isin(people[:, n], people[:, torn != torn[n]]).any())  # a person of it in a pair of another fold
        for n in range(len(torn))
    ]
    assert build(replace(made, fold=torn)).about.own_leak == pytest.approx(np.mean(seen))
    assert any(seen)
    scored = torn != torn[pair]
    half_run = build(replace(made, fold=np.where(scored, torn, -1))).about.own_leak
    assert half_run == pytest.approx(np.mean(np.array(seen)[scored])), "what is not held out is trained on"


def test_curves_are_the_history() -> None:
    curves = build(LARGE).curves
    assert [curve.fold for curve in curves] == [0, 1, 2, 3, 4]
    assert curves[1].epochs == (1, 2, 3, 4)
    assert curves[1].loss == (1, 1 / 2, 1 / 3, 1 / 4)
    assert [math.isnan(eer) for eer in curves[1].eer] == [True, False, True, False]
    assert curves[1].best_epoch == 4
    tied = [Epoch(e, 0.5, 20.0, float(e), 1.0) for e in (1, 2, 3)]
    blind = [Epoch(1, 0.5, None, 1.0, 1.0)]
    some = build(replace(LARGE, history={2: tied, 0: blind, 1: []})).curves
    assert [(curve.fold, curve.best_epoch) for curve in some] == [(0, None), (2, 1)]


DAMAGED: dict[str, Callable[[PairOutcome], PairOutcome]] = {
    "whole": lambda o: o,
    "no baseline": lambda o: replace(o, classical=np.full(len(o.ids), np.nan)),
    "one fold": lambda o: replace(o, fold=np.where(o.fold == 0, 0, -1)),
    "constant": lambda o: replace(o, score=np.full(len(o.ids), 0.25)),
    "perfect": lambda o: replace(o, score=o.same.astype(np.float64)),
    "reversed": lambda o: replace(o, score=-o.same.astype(np.float64)),
    "one kind": lambda o: replace(o, same=np.ones(len(o.ids), dtype=np.bool_)),
    "a fold of one kind": lambda o: replace(o, fold=np.where(o.same, o.fold, 0)),
    "no history": lambda o: replace(o, history={}, seconds=None, pairs_per_second=None, parameters=None),
}


@pytest.mark.parametrize("how", DAMAGED)
def test_the_json_is_plain_and_finite_or_null_whatever_happened(how: str) -> None:
    for made in (made_pairs(), made_pairs(301, 103, seed=4)):
        report = build(DAMAGED[how](made))
        text = json.dumps(to_json(report), allow_nan=False)
        assert json.loads(text)["format"] == 1
        assert json.loads(text)["about"]["scored"] == report.about.scored
        assert set(json.loads(text)) == {"format", *(field.name for field in fields(PairReport))}


def test_a_good_run_is_not_warned_of() -> None:
    assert build(LARGE).warnings == ()


def test_a_model_that_tells_nothing_is_said_to_have_collapsed() -> None:
    lot = np.random.default_rng(6).normal(0, 1, 701)
    (words,) = warned(build(replace(LARGE, score=lot)), "Collapsed")
    auc = metrics.auc(lot, LARGE.same)
    assert f"AUC {auc:.3f} ± {auc_error(auc, 350, 351):.3f}" in words
    assert "train.lr" in words
    assert warned(build(replace(LARGE, score=-LARGE.score)), "wrong way round")
    few = made_pairs(separation=0.1)
    assert warned(build(few), "Too few pairs to tell")
    assert not warned(build(few), "Collapsed")
    assert warned(build(replace(LARGE, same=np.ones(701, np.bool_))), "all of one kind")


def test_the_error_of_an_auc_is_what_drawing_pairs_again_says() -> None:
    rng = np.random.default_rng(0)
    same = np.arange(160) < 70
    drawn = [metrics.auc(rng.normal(0, 1, 160) + 1.0 * same, same) for _ in range(400)]
    assert auc_error(float(np.mean(drawn)), 70, 90) == pytest.approx(np.std(drawn), rel=0.15)


def test_scores_that_are_all_but_one_number_are_named() -> None:
    for narrow in (np.full(701, 0.25), 0.999 + 1e-5 * LARGE.score, np.where(np.arange(701) < 20, LARGE.score, 0.0)):
        assert warned(build(replace(LARGE, score=narrow)), "Nearly one score for all")
    assert not warned(build(replace(LARGE, score=1e-6 * LARGE.score)), "Nearly one score")


def test_a_model_is_held_against_the_baseline_in_two_wordings() -> None:
    equal = made_pairs(701, 301, 5, seed=2, separation=1.5)
    equal = replace(equal, classical=equal.score + 0.1 * np.random.default_rng(1).normal(0, 1, 701))
    report = build(equal)
    assert report.gain_low <= 0 <= report.gain_high
    (words,) = warned(report, "does not beat the classical baseline")
    assert f"{100 * report.gain:+.1f} points" in words
    (words,) = warned(build(replace(LARGE, score=LARGE.classical, classical=LARGE.score)), "is worse than")
    assert "does not beat" not in words
    few = replace(made_pairs(), group=np.arange(46) % 9)
    assert build(few).gain > 0
    assert not warned(build(few), "baseline"), "a gain without an interval is no loss"
    assert warned(build(replace(few, score=few.classical, classical=few.score)), "does not beat")


def test_a_fold_that_lags_by_more_than_luck_is_named() -> None:
    lost = np.where(LARGE.fold == 2, np.random.default_rng(5).normal(0.7, 1, 701), LARGE.score)
    (words,) = warned(build(replace(LARGE, score=lost)), "much worse than the others")
    assert words.startswith("Fold 2 ")
    few = made_pairs(31, 23, 5)
    accuracy = [fold.accuracy for fold in build(few).folds]
    assert min(accuracy) < np.median(accuracy) - 0.05
    assert not warned(build(few), "much worse"), "luck among so few pairs"
    two = made_pairs(301, 103, 2)
    lost = np.where(two.fold == 1, 0.0, two.score)
    assert not warned(build(replace(two, score=lost)), "much worse"), "of two, neither is the odd one"


def test_over_fitting_is_told_by_the_loss_and_the_held_out_error_together() -> None:
    rising = [Epoch(e, 0.7 / 10**e, 20.0 + 3 * e, float(e), 1.0) for e in range(1, 5)]
    (words,) = warned(build(replace(LARGE, history={0: made_history(0), 3: rising})), "Over-fitted")
    assert "in fold 3: its held-out EER rose from 23.0 % to 32.0 %" in words
    (words,) = warned(build(replace(LARGE, history={0: rising, 3: rising})), "Over-fitted")
    assert "2 of 2 folds" in words
    still = [row._replace(loss=0.7) for row in rising]
    assert not warned(build(replace(LARGE, history={3: still})), "Over-fitted"), "noise, not over-fitting"
    blind = [row._replace(heldout=None) for row in rising]
    assert not warned(build(replace(LARGE, history={3: blind})), "Over-fitted")


def test_the_best_epoch_is_said_to_flatter() -> None:
    assert warned(build(replace(LARGE, keep="best")), "optimistic")


def test_a_training_that_patience_ended_is_said_to_flatter() -> None:
    patient = parse(Recipe, {"train": {"patience": 2, "epochs": 9}}, "test")
    history = {0: made_history(0)}
    assert len(history[0]) < 9
    assert warned(build(replace(LARGE, recipe=patient, history=history)), "patience ended")
    whole = parse(Recipe, {"train": {"patience": 2, "epochs": len(history[0])}}, "test")
    assert not warned(build(replace(LARGE, recipe=whole, history=history)), "patience ended")


def test_a_person_with_many_of_the_wrong_pairs_is_named() -> None:
    least = np.bincount(LARGE.person[LARGE.first]).argmax()
    of = (LARGE.person[LARGE.first] == least) | (LARGE.person[LARGE.second] == least)
    score = np.where(of, np.where(LARGE.same, -9.0, 9.0), LARGE.score + 6 * LARGE.same)
    report = build(replace(LARGE, score=score))
    (words,) = warned(report, str(LARGE.people[least]))
    assert f"stands in {int(of.sum())} of the" in words
    assert report.people[0].worst in words
    few = build(made_pairs(separation=2.5))
    wrong = sum(round((1 - fold.accuracy) * fold.pairs) for fold in few.folds)
    assert few.people[0].wrong > wrong / 10
    assert not warned(few, "stands in"), "one pair or two are no pattern"


def test_a_report_of_all_of_lfw_is_made_in_a_moment() -> None:
    made = made_pairs(2200, 1500, 5)
    start = time.process_time()
    build(made)
    assert time.process_time() - start < 1


def test_the_report_needs_neither_torch_nor_matplotlib() -> None:
    code = "import sys, kptool.verification; print({'torch', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
