"""Law: the report adds up, names what went wrong in words, and can be read in any terminal and by any JSON reader."""

from __future__ import annotations

import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from kptool import metrics
from kptool.dataset import Ints, Mask
from kptool.errors import DataError
from kptool.geometry import Floats, identity, scale, shift
from kptool.predictions import Faces, write_faces
from kptool.report import Outcome, build, to_json
from kptool.report.load import load_faces
from kptool.report.pen import Pen
from kptool.report.scored import in_frame
from kptool.report.terminal import headline, render
from kptool.report.words import count, duration, figure
from kptool.schema import Schema, make_schema
from kptool.schemes import Schemes, discover

POINTS = ("left_eye_center", "right_eye_center", "nose_tip", "mouth_center_bottom_lip", "left_eyebrow_outer_end")
WIDTHS = [80, 100, 120, 200]


def outcome(n: int = 143, noise: float = 1.0, **changes: Any) -> Outcome:
    """Five points, two schemes (5 and 3 points), three folds; predictions = truth + noise."""
    rng = np.random.default_rng(7)
    shape = np.array([[66.0, 37.0], [30.0, 37.0], [48.0, 62.0], [48.0, 78.0], [81.0, 30.0]])
    truth = shape + rng.normal(0, 4, (n, 1, 2)) + rng.normal(0, 1.5, (n, 5, 2))
    truth[n // 3 :, [1, 4]] = np.nan
    truth[::17, 2] = np.nan
    labelled: Mask = np.asarray(np.isfinite(truth).all(-1))
    schemes = discover(labelled)
    made = Outcome(
        title="Kaggle Facial Keypoints Detection",
        run="20260101-120000-default",
        recipe_name="default",
        recipe_digest="8c1f02ab77de",
        data_digest="41d09be0c3aa5512",
        schema=Schema("faces", POINTS),
        size=(96, 92),
        to_frame=identity(n),
        boxes=None,
        sizes=np.tile([96, 92], (n, 1)),
        metric="rmse",
        normaliser="inter-ocular",
        ids=np.array([f"{i + 1}" for i in range(n)]),
        truth=truth,
        predicted=np.where(np.isfinite(truth), truth, shape) + rng.normal(0, 1, truth.shape) * noise,
        spread=np.full((n, 5), np.nan),
        fold=np.arange(n) % 3,
        scheme=schemes.assign(labelled),
        schemes=schemes,
        test_mix=[0.65, 0.35],
        group=np.arange(n) // 2,
        seconds=271.4,
        images_per_second=1731.2,
        device="cpu",
        precision="bf16",
        keep="last",
        label_shift=None,
        views="plain + mirrored",
    )
    return replace(made, **changes)


def text(made: Outcome, width: int = 100, **options: Any) -> str:
    file = io.StringIO()
    render(build(made), Console(file=file, width=width, **options))
    return file.getvalue()


def collapsed(made: Outcome) -> Floats:
    """Nearly the mean face for everyone."""
    jitter = np.random.default_rng(1).normal(0, 0.1, made.truth.shape)
    return metrics.mean_shape_baseline(made.truth, made.fold) + jitter


def test_the_score_is_pooled_over_everything_and_its_parts_add_up() -> None:
    made = outcome()
    report = build(made)
    seen = np.isfinite(made.truth)
    square = (made.predicted - made.truth)[seen] ** 2
    assert report.metrics.rmse == pytest.approx(math.sqrt(square.mean()))
    assert report.metrics.values == seen.sum()
    for parts in (report.metrics.by_scheme.values(), report.folds):
        assert sum(part.images for part in parts) == report.metrics.images == len(made.ids)
        assert sum(part.values for part in parts) == report.metrics.values
        assert sum(part.rmse**2 * part.values for part in parts) == pytest.approx(square.sum())
    by_point = sum(point.rmse**2 * 2 * point.labelled for point in report.points)
    assert by_point == pytest.approx(square.sum())
    assert all(point.labelled + point.missing == len(made.ids) for point in report.points)


def test_points_are_what_numpy_says() -> None:
    made = outcome()
    report = build(made)
    for k, point in enumerate(report.points):
        seen = np.isfinite(made.truth[:, k]).all(1)
        off = made.predicted[seen, k] - made.truth[seen, k]
        away = np.sqrt((off**2).sum(1))
        assert (point.name, point.labelled) == (POINTS[k], seen.sum())
        expected = (away.mean(), np.median(away), np.percentile(away, 95), *off.mean(0))
        assert (point.mean, point.median, point.p95, point.bias_dx, point.bias_dy) == pytest.approx(expected)


def test_folds_are_summed_up_by_mean_and_sample_deviation() -> None:
    report = build(outcome())
    scores = [fold.rmse for fold in report.folds]
    assert report.metrics.rmse_fold_mean == pytest.approx(sum(scores) / 3)
    assert report.metrics.rmse_fold_std == pytest.approx(np.std(scores, ddof=1))


def test_the_test_mix_reweights_the_schemes() -> None:
    report = build(outcome())
    full, part = report.metrics.by_scheme.values()
    assert report.metrics.rmse_test_mix == pytest.approx(math.sqrt(0.65 * full.rmse**2 + 0.35 * part.rmse**2))
    assert report.metrics.rmse_test_mix_reason is None


def test_an_unknown_test_mix_is_null_with_its_reason() -> None:
    made = outcome(test_mix=None)
    table = to_json(build(made))["metrics"]
    assert (table["rmse_test_mix"], table["rmse_test_mix_reason"]) == (None, "no lookup table was read")
    assert "no lookup table was read" in text(made, 120)
    only_full = outcome(fold=np.where(outcome().scheme == 0, np.arange(143) % 2, -1))
    assert build(only_full).metrics.rmse_test_mix_reason == "no image of scheme 3 points was scored"
    assert build(outcome(test_mix=[0.0, 0.0])).metrics.rmse_test_mix_reason is not None


def test_order_of_rows_and_points_changes_nothing() -> None:
    made = outcome()
    rng = np.random.default_rng(2)
    rows, points = rng.permutation(143), rng.permutation(5)

    def moved(values: Any) -> Any:
        return values[rows][:, points] if values.ndim > 1 else values[rows]

    names = ("ids", "truth", "predicted", "spread", "fold", "scheme", "group")
    changes: dict[str, Any] = {name: moved(getattr(made, name)) for name in names}
    other = replace(
        made,
        schema=Schema("faces", tuple(POINTS[p] for p in points)),
        schemes=Schemes(made.schemes.masks[:, points], made.schemes.names),
        **changes,
    )
    one, two = to_json(build(made)), to_json(build(other))
    for table in (one, two):  # the points of these stand in file order
        table["points"].sort(key=lambda point: point["name"])
        table["mean_face"]["points"].sort(key=lambda point: point["name"])
        table["calibration"]["radii"].sort(key=lambda radius: radius["point"])
    assert_close(one, two)


def assert_close(one: Any, two: Any) -> None:
    if isinstance(one, dict):
        assert one.keys() == two.keys()
        for key in one:
            assert_close(one[key], two[key])
    elif isinstance(one, list):
        assert len(one) == len(two)
        for a, b in zip(one, two, strict=True):
            assert_close(a, b)
    else:
        assert two == (pytest.approx(one) if isinstance(one, float) else one)


def test_predicting_the_baseline_beats_nothing_and_is_said_to() -> None:
    made = outcome()
    report = build(replace(made, predicted=metrics.mean_shape_baseline(made.truth, made.fold)))
    assert report.metrics.rmse == report.baseline.rmse
    assert report.metrics.rmse_test_mix == report.baseline.rmse_test_mix
    assert all(point.rmse == point.baseline for point in report.points)
    assert any("No better than the mean shape" in words for words in report.warnings)


def test_collapse_is_named_for_a_collapsed_model_and_not_for_a_good_one() -> None:
    made = outcome()
    assert build(made).warnings == ()
    assert build(made).metrics.spread_ratio == pytest.approx(1, abs=0.1)
    bad = replace(made, predicted=collapsed(made))
    words = build(bad).warnings[0]
    assert "collapsed" in words
    assert "learning rate" in words
    assert build(bad).metrics.spread_ratio < 0.2


def test_a_single_collapsed_point_is_named() -> None:
    made = outcome()
    predicted = made.predicted.copy()
    predicted[:, 2] = collapsed(made)[:, 2]
    (words,) = build(replace(made, predicted=predicted)).warnings
    assert "nose_tip" in words
    assert "left_eye_center" not in words


def test_a_scheme_that_does_not_beat_its_baseline_is_named() -> None:
    made = outcome(noise=0.1)
    base = build(made).baseline.by_scheme["3 points"].rmse
    shifted = made.predicted + (base + 0.2) * (made.scheme == 1)[:, None, None]
    report = build(replace(made, predicted=shifted))
    assert report.metrics.rmse < report.baseline.rmse
    (words,) = report.warnings
    assert "No better than the mean shape on the images of 3 points" in words


def test_a_fold_that_lags_is_named() -> None:
    made = outcome()
    predicted = np.where((made.fold == 1)[:, None, None], made.predicted * 1.0 + 1.5, made.predicted)
    (words,) = build(replace(made, predicted=predicted)).warnings
    assert words.startswith("Fold 1 is much worse")


def test_a_partial_run_says_so_and_scores_only_what_was_predicted() -> None:
    made = outcome()
    predicted = np.where((made.fold == 1)[:, None, None], np.nan, made.predicted)
    report = build(replace(made, predicted=predicted, fold=np.where(made.fold == 1, -1, made.fold)))
    whole = build(made)
    assert [fold.fold for fold in report.folds] == [0, 2]
    assert report.folds == (whole.folds[0], whole.folds[2])  # the baseline too: unrun folds are training data
    assert (report.metrics.images, report.about.images) == ((made.fold != 1).sum(), 143)
    assert any("Only folds 0 and 2 were run" in words and "of 143 images" in words for words in report.warnings)


def test_one_fold_has_no_deviation_between_folds() -> None:
    made = outcome(fold=np.where(np.arange(143) % 3 == 2, 2, -1))
    table = to_json(build(made))["metrics"]
    assert table["rmse_fold_std"] is None
    assert table["rmse_fold_mean"] == pytest.approx(table["rmse"])
    assert "±" not in headline(build(made))
    assert "Only fold 2 was run" in text(made)


def test_a_score_of_best_epochs_is_called_optimistic() -> None:
    (words,) = build(outcome(keep="best")).warnings
    assert "optimistic" in words


def test_worst_images_are_the_worst_and_their_share_is_right() -> None:
    made = outcome()
    predicted = made.predicted.copy()
    predicted[40, 2] += (30, 40)
    report = build(replace(made, predicted=predicted))
    first = report.worst[0]
    assert (first.id, first.fold, first.worst_point, first.labelled) == ("41", 40 % 3, "nose_tip", 5)
    assert first.worst_distance == pytest.approx(50, abs=5)
    assert len(report.worst) == 10
    assert [face.rmse for face in report.worst] == sorted((face.rmse for face in report.worst), reverse=True)
    square = np.nansum((predicted - made.truth) ** 2, axis=(1, 2))
    rows = [int(face.id) - 1 for face in report.worst]
    assert report.worst_share == pytest.approx(square[rows].sum() / square.sum())


def test_a_lost_prediction_is_an_error_that_names_image_and_point() -> None:
    made = outcome()
    made.predicted[60, 2] = np.nan
    with pytest.raises(DataError, match="image 61 has a label but no prediction for nose_tip"):
        build(made)


@pytest.mark.parametrize(("changes", "words"), [(-1, "no fold has been predicted"), (0, "no label outside fold 0")])
def test_nothing_to_score_is_an_error(changes: int, words: str) -> None:
    fold: Ints = np.full(143, changes)
    with pytest.raises(DataError, match=words):
        build(outcome(fold=fold))


def test_json_round_trips_and_holds_no_nan() -> None:
    made = outcome(seconds=None, images_per_second=None, group=None)
    made.truth[:, 4] = np.nan  # a point that nobody labelled
    report = build(made)
    table = to_json(report)
    again = json.loads(json.dumps(table, allow_nan=False))
    assert again == table
    assert table["points"][4]["rmse"] is None
    assert table["points"][4]["missing"] == 143
    assert table["metrics"]["rmse"] == report.metrics.rmse
    assert (table["metrics"]["unit"], table["metrics"]["name"]) == ("px", "RMSE")
    assert table["metrics"]["pooling"] == "all labelled coordinates, out of fold"
    assert set(table["metrics"]["by_scheme"]["5 points"]) == {"rmse", "lead", "images", "values"}
    assert set(table["worst"][0]) >= {"id", "fold", "scheme", "rmse", "worst_point", "worst_distance", "labelled"}
    for key in ("baseline", "folds", "warnings"):
        assert key in table


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", ["good", "collapsed", "partial", "unlabelled point", "large px", "full size"])
def test_every_line_fits_and_nothing_is_cut(width: int, kind: str) -> None:
    made = outcome(7049 if kind == "full size" else 143)
    if kind == "collapsed":
        made = replace(made, predicted=collapsed(made))
    if kind == "partial":
        made = replace(made, fold=np.where(made.fold == 0, 0, -1), keep="best", test_mix=None)
    if kind == "unlabelled point":
        made.truth[:, 4] = np.nan
    if kind == "large px":
        made = replace(
            made, truth=made.truth * 40, predicted=made.predicted * 40, size=(3840, 3680), sizes=made.sizes * 40
        )
    shown = text(made, width)
    assert "\x1b" not in shown
    assert "…" not in shown
    assert max(map(cell_len, shown.splitlines())) <= width
    report = build(made)
    for point in report.points:  # a point's row is one line, from its name to its last figure
        (line,) = [line for line in shown.splitlines() if line.startswith(f"{point.name} ")]
        lengths = [*([point.mean] if "mean, median" in shown else []), point.median, point.p95]
        figures = [figure(v) for v in (point.rmse, *lengths)]
        assert [w for w in line.split() if w in figures][: len(figures)] == figures
        assert f" {point.labelled} " in line
        assert f" {point.missing}" in line
    lines = [line.rstrip() for line in shown.splitlines()]
    for face in report.worst:
        assert any(f"{face.id} " in line and figure(face.worst_distance) in line.split() for line in lines)
    if kind != "large px":
        assert f"RMSE {report.metrics.rmse:.3f} px" in shown


def test_warnings_stand_before_the_tables() -> None:
    made = outcome()
    shown = text(replace(made, predicted=collapsed(made)))
    assert shown.index("RMSE") < shown.index("WARNING") < shown.index("scored on") < shown.index("Worst 10")


def test_a_terminal_gets_colour_and_the_same_words() -> None:
    plain, coloured = text(outcome()), text(outcome(), force_terminal=True, color_system="truecolor")
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


HOSTILE = {  # what a file may hold: how it is shown
    "[red]x[/red]": "[red]x[/red]",
    "\x1b[31mred\x1b[0m": "\\x1b[31mred\\x1b[0m",
    "a\nb": "a\\nb",
    "a\rb": "a\\rb",
    "\u202egnp.exe": "\\u202egnp.exe",
    ":smile:": ":smile:",
    "\ud800": "\\ud800",
    "顔" * 30: "",  # too long for a line: folded, but all of it
    "y" * 300: "",
}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_stay_text(hostile: str, width: int) -> None:
    made = outcome()
    predicted = made.predicted.copy()
    predicted[0] += 40
    ids = made.ids.astype(object)
    ids[0] = hostile
    schema = Schema("faces", (hostile, *POINTS[1:]))
    made = replace(made, ids=ids.astype(str), predicted=predicted, schema=schema, title=hostile, run=hostile)
    shown = text(made, width)
    assert build(made).worst[0].id == hostile
    assert not [c for c in shown if c != "\n" and not c.isprintable()]
    assert max(map(cell_len, shown.splitlines())) <= width
    if spelt := HOSTILE[hostile]:
        assert shown.count(spelt) >= 3  # title, points, worst images
    else:
        assert shown.count(hostile[0]) >= 3 * len(hostile)


def test_a_console_without_unicode_gets_ascii() -> None:
    raw = io.BytesIO()
    made = outcome(title="Gesichter für alle")
    file = io.TextIOWrapper(raw, encoding="ascii")
    render(build(made), Console(file=file, width=80))
    file.flush()
    shown = raw.getvalue().decode("ascii")
    assert "##" in shown
    assert "+/-" in shown
    assert "f\\xfcr" in shown
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("ascii_only", [False, True])
def test_bars_are_as_long_as_their_figures(ascii_only: bool) -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii" if ascii_only else "utf-8")
    pen = Pen(Console(file=file, width=80))
    full = "#" if ascii_only else "█"
    assert pen.bar(1, 12).plain == full * 12
    assert pen.bar(7, 12).plain == full * 12
    assert pen.bar(0, 12).plain == pen.bar(math.nan, 12).plain == ""
    assert pen.bar(0.53125, 4).plain == (full * 2 if ascii_only else "██▏")
    assert pen.gauge(0.625, 4).plain == ("##--" if ascii_only else "━━╸─")
    assert pen.gauge(math.nan, 4).plain == ("----" if ascii_only else "────")


def test_bias_arrows_point_where_the_predictions_lie() -> None:
    made = outcome(noise=0.1)
    for (dx, dy), arrow in {(3, 0): "→", (0, 3): "↓", (-3, 0): "←", (0, -3): "↑", (3, -3): "↗", (-3, 3): "↙"}.items():
        predicted = np.where(np.isfinite(made.truth), made.truth, 0) + np.array([dx, dy])
        shown = text(replace(made, predicted=predicted))
        (line,) = [line for line in shown.splitlines() if line.startswith("nose_tip")]
        assert arrow in line
    unbiased = np.where(np.isfinite(made.truth), made.truth, 0)
    assert not set("→↘↓↙←↖↑↗") & set(text(replace(made, predicted=unbiased)))


def test_one_scheme_and_one_fold_leave_out_what_says_nothing() -> None:
    made = outcome(47)
    made = replace(
        made,
        scheme=np.zeros(47, dtype=np.int64),
        schemes=Schemes(np.ones((1, 5), dtype=np.bool_), ("5 points",)),
        test_mix=[1.0],
        fold=np.where(made.fold == 0, 0, -1),
    )
    shown = text(made)
    assert "test mix" not in shown
    assert "mean of" not in shown
    assert build(made).metrics.rmse_test_mix == pytest.approx(build(made).metrics.rmse)


def test_the_headline_is_one_line_with_unit_pooling_and_baseline() -> None:
    report = build(outcome())
    line = headline(report)
    assert line.startswith(f"RMSE {report.metrics.rmse:.3f} px, all labelled coordinates, out of fold (mean shape ")
    assert "\n" not in line
    assert f"{report.metrics.rmse_fold_mean:.3f} ± {report.metrics.rmse_fold_std:.3f} px" in line
    assert f"{report.metrics.rmse_test_mix:.3f} px" in line


def test_figures_are_written_to_be_read() -> None:
    assert [figure(v) for v in (1.005, 99.994, 123.456, math.nan)] == ["1.00", "99.99", "123.5", "–"]
    assert [figure(v, sign="+") for v in (-0.001, 0.0, 0.126)] == ["+0.00", "+0.00", "+0.13"]
    assert [count(v) for v in (0, 7049, 10_000, 106_058)] == ["0", "7049", "10,000", "106,058"]
    assert [duration(v) for v in (41.3, 59.7, 271.4, 7500)] == ["41 s", "1 min 0 s", "4 min 31 s", "2 h 5 min"]


def test_complete_rows_are_those_with_every_point() -> None:
    made = outcome()
    whole = np.isfinite(made.truth).all((1, 2)) & (made.fold >= 0)
    assert 0 < whole.sum() < len(whole), "the case must tell the two apart"
    errors = (made.predicted - made.truth)[whole]
    part = build(made).metrics.complete
    assert (part.images, part.values) == (whole.sum(), errors.size)
    assert part.rmse == pytest.approx(float(np.sqrt(np.mean(errors**2))))


def test_a_habit_of_the_labels_is_told_where_it_matters() -> None:
    assert "NOTE" not in text(outcome(label_shift=[0.05, -0.1]))
    words = " ".join(text(outcome(label_shift=[0.45, 1.23])).split())
    assert "+0.45 px (5 points), +1.23 px (3 points)" in words
    assert build(outcome(label_shift=[0.45, 1.23])).label_shift == {"5 points": 0.45, "3 points": 1.23}
    assert build(outcome(label_shift=[0.3])).label_shift == {"5 points": 0.3, "3 points": 0.3}
    assert build(outcome()).label_shift == {}


# --- photos: faces of many sizes and places ---


def photos(n: int = 143, k: int = 7, noise: float = 1.0, **changes: Any) -> Outcome:
    """K points in boxes of 40 to 400 px anywhere in photos of 500 to 900; the model is shown crops of 112 x 96 px."""
    rng = np.random.default_rng(11)
    names = [f"p{i + 1}" for i in range(k)]
    shape = rng.uniform(25, 85, (k, 2))
    shape[:6] = [[30, 40], [34, 38], [38, 40], [70, 40], [74, 38], [78, 40]]
    frame = shape + rng.normal(0, 3, (n, 1, 2)) + rng.normal(0, 1, (n, k, 2))
    size, corner = rng.uniform(40, 400, n), rng.uniform(0, 500, (n, 2))
    boxes = np.concatenate([corner, size[:, None], size[:, None]], axis=1)
    to_frame = shift(-corner[:, 0], -corner[:, 1]).then(scale(112 / size, 96 / size))
    back = to_frame.inverse()
    truth = back(frame)
    labelled: Mask = np.ones((n, k), dtype=np.bool_)
    made = replace(
        outcome(n),
        title="Photos",
        schema=make_schema("photos", names, None, ("p1", "p6"), [], (names[:3], names[3:6])),
        size=(112, 96),
        to_frame=to_frame,
        boxes=boxes,
        sizes=rng.integers(500, 901, (n, 2)),
        metric="nme",
        ids=np.array([f"{i + 1}.jpg" for i in range(n)]),
        truth=truth,
        predicted=back(frame + rng.normal(0, noise, frame.shape)),
        spread=np.full((n, k), np.nan),
        scheme=np.zeros(n, dtype=np.int64),
        schemes=discover(labelled),
        test_mix=None,
    )
    return replace(made, **changes)


def one_face(made: Outcome) -> Floats:
    """The same mean face in every box, a little jittered."""
    frame = in_frame(made.to_frame, made.truth)
    jitter = np.random.default_rng(1).normal(0, 0.2, frame.shape)
    return made.to_frame.inverse()(metrics.mean_shape_baseline(frame, made.fold) + jitter)


@pytest.mark.parametrize("metric", ["rmse", "mae", "nme"])
def test_a_model_that_answers_the_mean_face_in_every_box_has_collapsed(metric: Any) -> None:
    made = photos(metric=metric)
    assert build(made).warnings == ()
    bad = replace(made, predicted=one_face(made))
    # In the photos themselves it looks as if it followed the faces: it is the boxes that do.
    assert np.nanstd(bad.predicted, axis=0).mean() > 0.9 * np.nanstd(made.truth, axis=0).mean()
    report = build(bad)
    assert report.metrics.spread_ratio < 0.2
    assert "collapsed" in report.warnings[0]
    assert all(point.spread_ratio < 0.25 for point in report.points)
    exact = build(replace(made, predicted=_baseline(made)))
    assert exact.lead.score.value == pytest.approx(exact.lead.score.mean_shape)
    assert build(replace(made, predicted=_baseline(made) + 0.1)).warnings[0].startswith("The model has collapsed")


def _baseline(made: Outcome) -> Floats:
    return made.to_frame.inverse()(metrics.mean_shape_baseline(in_frame(made.to_frame, made.truth), made.fold))


def test_the_mean_shape_of_photos_is_that_of_the_frames() -> None:
    made = photos()
    off = _baseline(made) - made.truth
    report = build(made)
    assert report.baseline.rmse == pytest.approx(float(np.sqrt((off**2).mean())))
    whole = metrics.mean_shape_baseline(made.truth, made.fold) - made.truth
    assert report.baseline.rmse < 0.2 * float(np.sqrt((whole**2).mean())), "the case must tell the two apart"


def test_in_frame_moves_each_coordinate_and_keeps_half_a_label() -> None:
    made = photos(29)
    truth = made.truth.copy()
    truth[2, 3, 1] = np.nan
    moved = in_frame(made.to_frame, truth)
    assert np.allclose(np.delete(moved, 2, 0), np.delete(made.to_frame(truth), 2, 0))
    assert np.isfinite(moved[2, 3, 0])
    assert np.isnan(moved[2, 3, 1])
    assert np.array_equal(in_frame(identity(29), truth), truth, equal_nan=True)
    back = in_frame(made.to_frame.inverse(), moved)
    assert np.allclose(back, truth, equal_nan=True, atol=1e-9)


def test_the_nme_leads_with_its_normaliser_pooling_and_the_mean_shapes() -> None:
    made = photos()
    report = build(made)
    away = np.linalg.norm(made.predicted - made.truth, axis=-1)
    eyes = np.linalg.norm(made.truth[:, 0] - made.truth[:, 5], axis=-1)
    nme = 100 * float((away.mean(1) / eyes).mean())
    score = report.lead.score
    assert score.value == pytest.approx(nme)
    assert (score.name, score.unit, score.normaliser) == ("NME", "%", "inter-ocular distance")
    assert (score.pooling, score.images, score.left_out) == ("mean over images, out of fold", 143, 0)
    shape = 100 * float((np.linalg.norm(_baseline(made) - made.truth, axis=-1).mean(1) / eyes).mean())
    assert score.mean_shape == pytest.approx(shape)
    for f, fold in enumerate(report.folds):
        own = made.fold == f
        assert fold.lead == pytest.approx(100 * float((away.mean(1) / eyes)[own].mean()))
    assert report.lead.fold_std == pytest.approx(np.std([fold.lead for fold in report.folds], ddof=1))
    words = f"NME {nme:.2f} % of the inter-ocular distance, mean over 143 images"
    assert headline(report).startswith(f"{words}, out of fold (mean shape {shape:.2f} %")
    shown = text(made)
    assert words in shown.splitlines()
    assert f"times the mean shape's {shape:.2f} %" in shown
    for name in ("MAE", "RMSE", "AUC", "FR %", "PCK %"):
        assert any(line.startswith(f"{name} ") for line in shown.splitlines())


def test_worst_images_are_those_of_the_leading_metric() -> None:
    made = photos()
    errors = metrics.image_errors(
        np.linalg.norm(made.predicted - made.truth, axis=-1),
        np.linalg.norm(made.truth[:, 0] - made.truth[:, 5], axis=-1),
    )
    report = build(made)
    order = np.argsort(-errors)[:10]
    assert [face.id for face in report.worst] == [made.ids[row] for row in order]
    assert [face.lead for face in report.worst] == pytest.approx([100 * errors[row] for row in order])
    assert report.worst_share == pytest.approx(errors[order].sum() / errors.sum())
    assert "of all normalised error" in text(made)
    off = np.abs(made.predicted - made.truth).mean((1, 2))
    by_mae = build(replace(made, metric="mae"))
    assert [face.lead for face in by_mae.worst] == pytest.approx(sorted(off, reverse=True)[:10])
    assert by_mae.lead.score.value == pytest.approx(by_mae.metrics.mae)


def test_images_without_the_eyes_are_left_out_and_counted() -> None:
    made = photos()
    truth = made.truth.copy()
    truth[:20, 0] = np.nan
    report = build(replace(made, truth=truth))
    assert (report.lead.score.images, report.lead.score.left_out) == (123, 20)
    assert "mean over 123 images" in headline(report)
    assert "20 images left out" in headline(report)
    by_kind = {one.kind: (one.images, one.left_out) for one in report.normalised}
    assert by_kind == {"inter-ocular": (123, 20), "inter-pupil": (123, 20), "box": (143, 0), "diagonal": (143, 0)}
    assert not {face.id for face in report.worst} & set(made.ids[:20])
    bare = replace(made, schema=Schema("photos", made.schema.points))
    lost = build(bare)
    assert math.isnan(lost.lead.score.value)
    assert lost.warnings[0].startswith("The NME is not known: no image predicted has the inter-ocular distance")
    assert "NME not known" in text(bare)
    assert to_json(lost)["lead"]["score"]["value"] is None


def test_a_face_without_a_size_stops_only_where_it_must_be_divided_by() -> None:
    made = photos()
    made.truth[30, :6] = made.truth[30, 0]
    with pytest.raises(DataError, match=r"image 31\.jpg: the inter-ocular distance is 0 px"):
        build(made)
    report = build(replace(made, normaliser="box"))
    assert {one.kind: one.left_out for one in report.normalised} == {
        "inter-ocular": 1,
        "inter-pupil": 1,
        "box": 0,
        "diagonal": 0,
    }


def test_the_table_of_normalised_errors_is_there_where_a_length_can_be_told() -> None:
    assert build(outcome()).normalised == ()
    assert "Normalised errors" not in text(outcome())
    eyes = make_schema("faces", list(POINTS), None, ("left_eye_center", "right_eye_center"))
    report = build(outcome(schema=eyes))
    assert [one.normaliser for one in report.normalised] == [
        "inter-ocular distance",
        "box of the labels",
        "diagonal of the box of the labels",
    ]
    whole = np.isfinite(outcome().truth[:, 1]).all(1).sum()  # the right eye is the rarer
    assert report.normalised[0].images == whole == 143 - report.normalised[0].left_out
    assert report.metrics == build(outcome()).metrics
    assert report.lead.score.name == "RMSE"
    names = [one.normaliser for one in build(photos()).normalised]
    assert names[2:] == ["box of the file", "diagonal of the box of the file"]


def test_every_score_of_the_json_carries_what_it_must() -> None:
    table = to_json(build(photos()))
    json.dumps(table, allow_nan=False)
    for one in table["normalised"]:
        scores = [one["nme_macro"], one["nme_micro"], *one["auc"], *one["failure_rate"], *one["pck"]]
        assert [score["threshold"] for score in scores] == [None, None, *[0.05, 0.08, 0.10] * 3]
        for score in scores:
            assert score["normaliser"] == one["normaliser"]
            assert score["unit"] == ("1" if score["name"] == "AUC" else "%")
            assert score["pooling"].endswith("out of fold")
            assert (score["images"], score["left_out"]) == (143, 0)
        assert one["ced"]["errors"][-1] == 0.10
        assert one["ced"]["shares"][-1] == pytest.approx(1 - one["failure_rate"][-1]["value"] / 100)
    assert table["normalised"][0]["between"] == [["p1"], ["p6"]]
    assert [(score["name"], score["unit"]) for score in table["scores"]] == [("RMSE", "px"), ("MAE", "px")]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", ["nme", "mae", "diagonal", "left out"])
def test_68_points_of_photos_fit_every_line(width: int, kind: str) -> None:
    made = photos(41, 68)
    if kind == "mae":
        made = replace(made, metric="mae")
    if kind == "diagonal":
        made = replace(made, normaliser="diagonal", boxes=None)
    if kind == "left out":
        made.truth[::3, 5] = np.nan
    shown = text(made, width)
    assert max(map(cell_len, shown.splitlines())) <= width
    assert "…" not in shown
    report = build(made)
    for point in report.points:
        (line,) = [line for line in shown.splitlines() if line.startswith(f"{point.name} ")]
        assert figure(point.rmse) in line
        assert f" {point.labelled} " in line
    for one in report.normalised:  # a row is one line
        (line,) = [line for line in shown.splitlines() if re.match(rf"{one.kind} [ (]*(\w+\) )? *[\d.]+ ", line)]
        assert figure(one.nme_macro.value) in line
        assert line.split()[-2:] == [str(one.images), str(one.left_out)]


def test_photos_are_told_by_their_smallest_and_largest() -> None:
    made = photos()
    area = made.sizes.prod(1)
    small, large = ("{} × {}".format(*made.sizes[row]) for row in (area.argmin(), area.argmax()))
    assert f"143 photos of {small} to {large} px in 72 groups, frames of 112 × 96 px" in " ".join(
        text(made, 200).split()
    )
    same = replace(made, sizes=np.tile([640, 480], (143, 1)))
    assert "143 photos of 640 × 480 px in 72 groups, frames of 112 × 96 px" in text(same, 200)
    assert "143 images of 96 × 92 px in 72 groups" in text(outcome(), 200)


def test_order_of_photos_changes_nothing() -> None:
    made = photos()
    rows = np.random.default_rng(5).permutation(143)
    names = ("ids", "truth", "predicted", "spread", "fold", "scheme", "group", "sizes", "boxes", "to_frame")
    changes: dict[str, Any] = {name: getattr(made, name)[rows] for name in names}
    assert_close(to_json(build(made)), to_json(build(replace(made, **changes))))


def test_a_run_of_an_older_version_has_frames_of_its_images_own_size(tmp_path: Path) -> None:
    ids = np.array(["a", "b"])
    run: Any = SimpleNamespace(path=tmp_path, env={"size": [96, 92]})
    old = load_faces(run, ids)
    assert np.array_equal(old.to_frame.matrix, identity(2).matrix)
    assert np.isnan(old.boxes).all()
    assert old.sizes.tolist() == [[96, 92]] * 2
    made = photos(29)
    assert made.boxes is not None
    write_faces(tmp_path / "faces.parquet", Faces(ids, made.to_frame[:2], made.boxes[:2], made.sizes[:2]))
    assert np.array_equal(load_faces(run, ids).to_frame.matrix, made.to_frame.matrix[:2])
    with pytest.raises(DataError, match=r"faces\.parquet: other images than in truth\.parquet"):
        load_faces(run, ids[::-1])
