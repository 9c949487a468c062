"""Law: what a report tells beyond its score adds up, moves with the faces, and is silent where nothing is known."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from test_report import outcome

from kptool import metrics
from kptool.config import Recipe
from kptool.dataset import Mask
from kptool.engine.history import Epoch
from kptool.engine.schedule import schedule
from kptool.geometry import Affine, Floats, rotate, scale, shift
from kptool.report import Outcome, Report, build, to_json
from kptool.report.bootstrap import intervals, resample
from kptool.report.groups import FEWEST, clusters, kinds
from kptool.report.pose import places, tilt_and_size, turn
from kptool.report.scored import in_frame, scored
from kptool.report.sums import sums
from kptool.schema import Schema, typical_shape
from kptool.schemes import of_masks

MIRROR = (1, 0, 2, 3, 4)
NAMES = ("left_eye", "right_eye", "nose", "mouth", "forehead")


def mirrored(n: int = 143, **changes: Any) -> Outcome:
    """Made-up faces of pairs, a middle line and edges; two thirds of them have no forehead."""
    made, rng = outcome(n), np.random.default_rng(11)
    truth = made.truth.copy()
    truth[:, 1] = truth[:, 0] + [-36, 0] + rng.normal(0, 1.5, (n, 2))
    truth[:, 4] += [-33, -15]
    labelled: Mask = np.asarray(np.isfinite(truth).all(-1))
    schemes = of_masks(np.array([[True] * 5, [True] * 4 + [False]]))
    schema = Schema("faces", NAMES, MIRROR, (0, 1), ((0, 2), (2, 1), (4, 0)))
    guess = np.where(np.isfinite(truth), truth, np.nanmean(truth, axis=0)) + rng.normal(0, 1, truth.shape)
    made = replace(made, schema=schema, truth=truth, predicted=guess, schemes=schemes, scheme=schemes.assign(labelled))
    return replace(made, **changes)


def turned(made: Outcome, seed: int = 3) -> Outcome:
    """The same faces, each tilted and turned by an angle and a size of its own about its own nose."""
    rng = np.random.default_rng(seed)
    n = len(made.ids)
    maps = shift(-48.0, -55.0).then(rotate(rng.normal(0, 14, n)))
    grown = rng.uniform(0.6, 1.2, n)
    maps = maps.then(scale(grown, grown)).then(shift(48.0, 55.0))
    truth = in_frame(maps, made.truth)
    aside = rng.normal(0, 6, n)
    truth[:, [2, 3], 0] += aside[:, None]
    noise = rng.normal(0, 1, truth.shape)
    base = in_frame(maps, np.where(np.isfinite(made.truth), made.truth, 50.0))
    return replace(made, truth=truth, predicted=np.where(np.isfinite(truth), truth, base) + noise)


def moved_by(one: Affine, points: Floats) -> Floats:
    """All faces through one map."""
    return in_frame(Affine(np.broadcast_to(one.matrix, (len(points), 3, 3))), points)


def about(report: Report, what: str) -> list[Any]:
    return [group for group in report.groups if group.about == what]


def test_groups_part_the_images_that_can_be_told() -> None:
    made = replace(turned(mirrored(n=331)), contrast=np.random.default_rng(1).uniform(10, 60, 331))
    found = scored(made)
    every = kinds(found, sums(found))
    assert {kind.about for kind in every} == {"tilt", "turn", "size", "contrast", "labelled points"}
    for what in {kind.about for kind in every}:
        own = [kind for kind in every if kind.about == what]
        assert 2 <= len(own) <= 4
        times = np.sum([kind.rows for kind in own], axis=0)
        assert times.max() == 1, "no image is of two kinds"
        assert times.sum() >= 0.9 * len(times), what
        assert min(kind.rows.sum() for kind in own) >= FEWEST
        assert len({kind.name for kind in own}) == len({kind.range for kind in own}) == len(own)
    report = build(made)
    for what in ("size", "contrast", "labelled points"):
        square = sum(group.lead**2 * group.values for group in about(report, what))
        assert square == pytest.approx(report.metrics.rmse**2 * report.metrics.values), what
        assert sum(group.images for group in about(report, what)) == report.metrics.images
    assert all(group.low <= group.lead <= group.high for group in report.groups)


def test_a_kind_that_fails_is_the_one_that_is_told() -> None:
    made = turned(mirrored(n=331))
    found = scored(made)
    tilt, _ = tilt_and_size(found, places(found), typical_shape(places(found)))
    worse = np.where((tilt > 10)[:, None, None], made.truth + 9.0, made.predicted)
    groups = about(build(replace(made, predicted=np.where(np.isfinite(worse), worse, made.predicted))), "tilt")
    assert [group.name for group in groups] == ["tilted left", "upright", "tilted right"]
    assert groups[2].lead > 2 * groups[1].lead
    assert groups[2].low > groups[1].high


def test_tilt_turn_and_size_follow_the_face() -> None:
    made = mirrored(n=83)
    found = scored(made)
    at = places(found)
    shape = typical_shape(at)
    tilt, size = tilt_and_size(found, at, shape)
    aside = turn(found, at, shape)
    spun = moved_by(shift(-48.0, -50.0).then(rotate(20.0)).then(scale(3.0, 3.0)).then(shift(70.0, 10.0)), at)
    other_tilt, other_size = tilt_and_size(found, spun, shape)
    np.testing.assert_allclose(other_tilt, tilt + 20, atol=1e-6)  # clockwise, as the screen shows it
    np.testing.assert_allclose(other_size, 3 * size)
    np.testing.assert_allclose(turn(found, spun, shape), aside, atol=1e-9)
    moved = at.copy()
    moved[:, [2, 3], 0] += 5
    assert (turn(found, moved, shape) > aside).all(), "the nose goes to the picture's right"
    flipped = at[:, list(MIRROR)] * [-1, 1] + [95, 0]
    other = turn(found, flipped, typical_shape(flipped))
    np.testing.assert_allclose(other, -aside, atol=1e-9)
    half = np.where(np.arange(5)[None, :, None] < 4, at, np.nan)  # a scheme of fewer points measures the same face
    np.testing.assert_allclose(tilt_and_size(found, half, shape)[1], size, rtol=0.15)


def test_groups_that_cannot_be_told_are_left_out() -> None:
    made = outcome()
    assert {group.about for group in build(made).groups} <= {"tilt", "size", "labelled points"}, "no pairs, no turn"
    one = replace(
        made,
        schema=Schema("nose", ("nose",)),
        schemes=type(made.schemes)(np.ones((1, 1), dtype=np.bool_), ("1 point",)),
        scheme=np.zeros(143, dtype=np.int64),
        test_mix=None,
        **{name: getattr(made, name)[:, [2]] for name in ("truth", "predicted", "spread")},
    )
    report = build(one)
    assert report.groups == ()
    assert report.mean_face is not None
    assert [point.name for point in report.mean_face.points] == ["nose"]
    assert build(outcome(n=2 * FEWEST - 1)).groups == ()


def test_photos_twice_as_large_have_twice_the_radius_and_the_same_in_the_frame() -> None:
    made = turned(mirrored(n=197), 5)
    made = replace(made, spread=np.full(made.spread.shape, 1.3))
    large = replace(
        made,
        truth=2 * made.truth,
        predicted=2 * made.predicted,
        spread=2 * made.spread,
        to_frame=Affine(np.tile(np.diag([0.5, 0.5, 1.0]), (197, 1, 1))),
        sizes=2 * made.sizes,
    )
    one, two = build(made), build(large)
    assert one.calibration is not None
    assert two.calibration is not None
    for small, big in zip(one.calibration.radii, two.calibration.radii, strict=True):
        assert big.frame == pytest.approx(small.frame)
        assert big.px == pytest.approx(2 * small.px)
        assert list(big.by_scheme.values()) == pytest.approx([2 * v for v in small.by_scheme.values()], nan_ok=True)
    assert two.calibration.overall == one.calibration.overall
    assert two.calibration.own == one.calibration.own
    assert two.calibration.own_px == pytest.approx(2 * one.calibration.own_px)
    assert one.mean_face is not None
    assert two.mean_face is not None
    assert [p.xx for p in two.mean_face.points] == pytest.approx([p.xx for p in one.mean_face.points])
    sizes = [[g.images for g in about(report, "size")] for report in (one, two)]
    assert sizes[0] == sizes[1]


def test_coverage_adds_up_over_folds_and_schemes() -> None:
    report = build(outcome(n=611))
    made = report.calibration
    assert made is not None
    for parts in (made.folds, made.schemes):
        assert sum(part.labels for part in parts) == made.overall.labels == sum(p.labelled for p in report.points)
        held = sum(part.labels * part.share for part in parts)
        assert held == pytest.approx(made.overall.labels * made.overall.share)
    assert made.overall.share == pytest.approx(0.9, abs=0.03)
    assert math.isnan(made.own), "no spread, no promise"
    assert [fold.name for fold in made.folds] == ["fold 0", "fold 1", "fold 2"]
    few = build(outcome(fold=np.where(np.arange(143) < 8, 0, -1)))
    assert few.calibration is None


def test_the_lead_has_the_interval_of_the_bootstrap_over_groups() -> None:
    made = outcome(n=211)
    report, found = build(made), scored(made)
    drawn = resample([sums(found)], clusters(made))[0]
    assert (report.lead.low, report.lead.high) == pytest.approx(tuple(np.percentile(drawn, (2.5, 97.5))))
    assert report.lead.low < report.lead.score.value < report.lead.high
    alone = build(replace(made, group=np.arange(211)))
    assert alone.lead.high - alone.lead.low != report.lead.high - report.lead.low
    shuffled = np.random.default_rng(0).permutation(211)
    names = ("ids", "truth", "predicted", "spread", "fold", "scheme")
    other = replace(made, group=None, **{name: getattr(made, name)[shuffled] for name in names})
    again = build(replace(made, group=None))
    assert (build(other).lead.low, build(other).lead.high) == pytest.approx((again.lead.low, again.lead.high))
    few = build(replace(made, group=np.arange(211) % 9))
    assert math.isnan(few.lead.low)
    assert math.isnan(few.lead.high)


def test_a_part_of_few_groups_has_no_interval_and_leaves_that_of_others_alone() -> None:
    found = scored(outcome(n=120))
    added, group = sums(found), np.arange(120) // 2
    whole = np.ones(120, dtype=np.bool_)
    small: Any = group < 5
    assert intervals(added, group, [whole])[0] == pytest.approx(intervals(added, group, [whole, small])[0])
    assert all(math.isnan(v) for v in intervals(added, group, [whole, small])[1])


def test_the_mean_face_is_what_numpy_says() -> None:
    made = mirrored(n=77)
    made = replace(made, to_frame=Affine(np.tile(np.diag([0.5, 0.25, 1.0]), (77, 1, 1))))
    truth, predicted = (points * [0.5, 0.25] for points in (made.truth, made.predicted))
    truth[:, 1] = np.nan  # the second eye is never labelled
    labels = made.truth.copy()
    labels[:, 1] = np.nan
    face = build(replace(made, truth=labels, normaliser="diagonal")).mean_face
    assert face is not None
    assert face.edges == ((0, 1), (3, 0)), "renumbered, and without the eye that nobody marked"
    assert [point.name for point in face.points] == [made.schema.points[k] for k in (0, 2, 3, 4)]
    for k, point in zip((0, 2, 3, 4), face.points, strict=True):
        seen = np.isfinite(truth[:, k]).all(1)
        errors = (predicted - truth)[seen, k]
        cov = np.cov(errors.T)
        expected = (*truth[seen, k].mean(0), np.sqrt((errors**2).mean()), cov[0, 0], cov[0, 1], cov[1, 1])
        expected = (*expected, *errors.mean(0))
        assert (point.x, point.y, point.rmse, point.xx, point.xy, point.yy, point.dx, point.dy) == pytest.approx(
            expected
        )


def test_the_error_distribution_counts_images() -> None:
    made = mirrored(n=151)
    eyes = made.truth.copy()
    eyes[50:, 1] = np.nan
    made = replace(made, truth=eyes)
    report, found = build(made), scored(made)
    assert report.ced is not None
    each = 100 * metrics.image_errors(metrics.lengths(found.errors), found.lengths["inter-ocular"])
    told = each[np.isfinite(each)]
    # Two thirds of these faces have one eye only, so their errors cannot be divided: the curve is in px.
    assert (report.ced.unit, report.ced.normaliser, report.ced.images) == ("px", None, 151)
    assert len(told) < 0.5 * 151
    nme = build(replace(made, metric="nme"))
    assert nme.ced is not None
    assert (nme.ced.unit, nme.ced.normaliser, nme.ced.images) == ("%", "inter-ocular distance", len(told))
    for share, step in zip(nme.ced.shares, nme.ced.steps, strict=True):
        assert share == pytest.approx((told <= step).mean())
    for curve in (report.ced, nme.ced):
        assert len(curve.steps) == len(curve.shares) == len(curve.mean_shape) == 101
        assert np.all(np.diff(curve.shares) >= 0)
        assert np.all(np.diff(curve.mean_shape) >= 0)
        assert curve.shares[-1] >= 0.98
        assert np.mean(curve.shares) > np.mean(curve.mean_shape)


def test_the_best_faces_are_the_worst_turned_about_and_have_points_enough() -> None:
    made = outcome(n=143)
    report = build(made)
    leads = [face.lead for face in report.best]
    assert leads == sorted(leads)
    assert len(leads) == 10
    assert max(leads) < min(face.lead for face in report.worst)
    assert all(face.labelled >= 3 for face in report.best), "half of five points"
    sparse = made.truth.copy()
    sparse[:, 1:] = np.nan
    few = build(replace(made, truth=np.where(np.isfinite(made.truth[:, [0]]), sparse, made.truth)))
    assert len(few.best) == 10, "where no face has half of its points, the others do"


def test_curves_and_rates_are_those_of_the_folder() -> None:
    history = {
        1: [Epoch(1, 4.0, None, 2.5, 100.0), Epoch(2, 2.0, 3.5, 5.0, 100.0)],
        0: [Epoch(1, 5.0, 6.0, 2.0, 100.0)],
    }
    recipe = Recipe.model_validate({"train": {"epochs": 8, "schedule": "cosine", "warmup": 0.25}})
    report = build(outcome(history=history, recipe=recipe))
    assert [curve.fold for curve in report.curves] == [0, 1]
    assert report.curves[1].epochs == (1, 2)
    assert report.curves[1].loss == (4.0, 2.0)
    assert math.isnan(report.curves[1].heldout[0])
    assert report.curves[1].heldout[1] == 3.5
    assert report.curves[1].seconds == (2.5, 5.0)
    assert report.rates is not None
    assert report.rates.peaks == {"lr": 0.002, "muon_lr": 0.15}
    assert report.rates.epochs[-1] == 2, "the training stopped there"
    for epoch, fraction in zip(report.rates.epochs, report.rates.fraction, strict=True):
        assert fraction == schedule(recipe.train, epoch / 8)[0]
    plain = Recipe.model_validate({"model": {"backbone": "resnet18"}})
    other = build(outcome(recipe=plain)).rates
    assert other is not None
    assert other.peaks == {"lr": 0.002}
    assert other.epochs[-1] == 16


def test_an_older_run_still_reports_and_everything_is_json() -> None:
    for made in (outcome(), mirrored(), mirrored(metric="nme"), outcome(group=None)):
        report = build(made)
        assert (report.curves, report.rates) == ((), None)
        table = json.loads(json.dumps(to_json(report), allow_nan=False))
        assert table["curves"] == []
        assert len(table["best"]) == len(report.best)
    lone = build(outcome(fold=np.where(np.arange(143) % 3 == 0, 0, -1)))
    table = json.loads(json.dumps(to_json(lone), allow_nan=False))
    assert table["calibration"]["overall"] == {"name": "all", "labels": 0, "share": None}


def test_without_details_only_the_scores_are_made() -> None:
    made = mirrored()
    full, bare = build(made), build(made, details=False)
    assert (bare.groups, bare.best, bare.calibration, bare.ced, bare.remedies) == ((), (), None, None, ())
    assert bare.metrics == full.metrics
    assert bare.points == full.points
    assert bare.lead.score == full.lead.score
