"""Law: NME, CED, AUC, FR and PCK are what their formulas say, of the length they name, over the images they count."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kptool import metrics
from kptool.errors import DataError
from kptool.geometry import Affine, Floats
from kptool.metrics import KINDS, Kind
from kptool.predictions import Faces, read_faces, write_faces
from kptool.schema import Schema

# Two eyes of three points each, and a nose; the outer corners are points 0 and 5.
SCHEMA = Schema("faces", tuple("abcdefg"), scale_pair=(0, 5), pupils=((0, 1, 2), (3, 4, 5)))
THRESHOLDS = (0.05, 0.08, 0.10)


def faces(n: int = 23, seed: int = 0, missing: float = 0.2) -> tuple[Floats, Floats, Floats]:
    """Predictions, labels with holes (but row 0 whole) and boxes, of faces of many sizes and places."""
    rng = np.random.default_rng(seed)
    shape = np.array([[-30, 0], [-25, -4], [-20, 0], [20, 0], [25, -4], [30, 0], [0, 25.0]])
    size, place = rng.uniform(0.5, 4, (n, 1, 1)), rng.uniform(50, 400, (n, 1, 2))
    truth = shape * size + place + rng.normal(0, 2, (n, 7, 2)) * size
    predicted = truth + rng.normal(0, 4, truth.shape) * size
    holes = rng.random((n, 7)) < missing
    holes[0] = False
    truth[holes] = np.nan
    sides = rng.uniform(60, 90, (n, 2)) * size[:, 0]
    return predicted, truth, np.concatenate([place[:, 0] - sides / 2, sides], axis=1)


# --- what errors are divided by ---


def test_normalisers_of_a_face_made_by_hand() -> None:
    truth = np.array([[[0, 0], [1, 1], [2, -1], [7, 5], [8, 3], [9, 12], [4, 4]]], dtype=np.float64)
    boxes = np.array([[5.0, 6, 16, 9]])
    assert metrics.normaliser("inter-ocular", truth, SCHEMA, None) == pytest.approx(15)  # (9, 12)
    assert metrics.normaliser("inter-pupil", truth, SCHEMA, None) == pytest.approx(math.hypot(7, 20 / 3))
    assert metrics.normaliser("box", truth, SCHEMA, None) == pytest.approx(math.sqrt(9 * 13))
    assert metrics.normaliser("diagonal", truth, SCHEMA, None) == pytest.approx(math.hypot(9, 13))
    assert metrics.normaliser("box", truth, SCHEMA, boxes) == pytest.approx(12)
    assert metrics.normaliser("diagonal", truth, SCHEMA, boxes) == pytest.approx(math.hypot(16, 9))


def test_a_length_that_cannot_be_told_is_nan() -> None:
    _, truth, boxes = faces(9, missing=0)
    truth[2, 0] = np.nan  # an outer corner
    truth[3, 4] = np.nan  # a point of an eye, but no corner
    truth[4, 6, 1] = np.nan  # the nose, and only its y
    boxes[5] = np.nan
    boxes[6, 0] = np.nan
    gone = {kind: np.flatnonzero(np.isnan(metrics.normaliser(kind, truth, SCHEMA, None))).tolist() for kind in KINDS}
    assert gone == {"inter-ocular": [2], "inter-pupil": [2, 3], "box": [2, 3, 4], "diagonal": [2, 3, 4]}
    for kind in KINDS[2:]:  # with boxes in the file, a row without has none: two kinds of box are never mixed
        assert np.flatnonzero(np.isnan(metrics.normaliser(kind, truth, SCHEMA, boxes))).tolist() == [5, 6]
    bare = Schema("faces", tuple("abcdefg"))
    assert np.isnan(metrics.normaliser("inter-ocular", truth, bare, boxes)).all()
    assert np.isnan(metrics.normaliser("inter-pupil", truth, bare, boxes)).all()


def test_names_say_whose_box_it_is() -> None:
    boxes = np.array([[np.nan] * 4, [1.0, 2, 3, 4]])
    assert [metrics.normaliser_name(kind, boxes) for kind in KINDS] == [
        "inter-ocular distance",
        "inter-pupil distance",
        "box of the file",
        "diagonal of the box of the file",
    ]
    for none in (None, boxes[:1]):
        assert metrics.normaliser_name("box", none) == "box of the labels"
        assert metrics.normaliser_name("diagonal", none) == "diagonal of the box of the labels"
    _, truth, _ = faces(2, missing=0)
    no_boxes = np.full((2, 4), np.nan)
    assert np.array_equal(
        metrics.normaliser("box", truth, SCHEMA, no_boxes), metrics.normaliser("box", truth, SCHEMA, None)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_length_of_zero_is_an_error_that_names_its_row(kind: Kind) -> None:
    _, truth, boxes = faces(9, missing=0)
    truth[4, :6] = truth[4, 0]  # both eyes in one place
    boxes[4, 2] = 0
    with pytest.raises(DataError, match=r"row 4: the .* is 0 px"):
        metrics.normaliser(kind, truth, SCHEMA, boxes)
    ids = [f"{n}.jpg" for n in range(9)]
    with pytest.raises(DataError, match=r"image 4\.jpg: "):
        metrics.normaliser(kind, truth, SCHEMA, boxes, ids)
    assert metrics.measured(kind, truth, SCHEMA, boxes)[4] == 0


def test_two_negative_sides_make_no_box() -> None:
    _, truth, boxes = faces(3, missing=0)
    boxes[1, 2:] *= -1
    for kind in KINDS[2:]:
        with pytest.raises(DataError, match="row 1"):
            metrics.normaliser(kind, truth, SCHEMA, boxes)


def test_labels_without_an_area_have_no_box() -> None:
    one, line = np.array([[[3.0, 4.0]]]), np.array([[[3.0, 4.0], [9.0, 4.0]]])
    for kind in KINDS[2:]:
        assert np.isnan(metrics.normaliser(kind, one, Schema("nose", ("a",)), None)).all()
        assert np.isnan(metrics.normaliser(kind, line, Schema("eyes", ("a", "b")), None)).all()


# --- NME ---


def test_nme_made_by_hand() -> None:
    away = np.array([[1.0, 3.0], [np.nan, 6.0], [5.0, 5.0], [np.nan, np.nan]])
    lengths = np.array([10.0, 20.0, np.nan, 10.0])
    assert metrics.image_errors(away, lengths) == pytest.approx([0.2, 0.3, np.nan, np.nan], nan_ok=True)
    assert metrics.nme_macro(away, lengths) == pytest.approx((0.2 + 0.3) / 2)
    assert metrics.nme_micro(away, lengths) == pytest.approx((0.1 + 0.3 + 0.3) / 3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 5, 31])
def test_all_are_what_plain_loops_say(n: int, kind: Kind) -> None:
    predicted, truth, boxes = faces(n, seed=n)
    away, lengths = metrics.distances(predicted, truth), metrics.normaliser(kind, truth, SCHEMA, boxes)
    means, pooled = [], []
    for i in range(n):
        if math.isnan(lengths[i]):
            continue
        own = []
        for k in range(7):
            if not any(math.isnan(v) for v in truth[i, k]):
                dx, dy = predicted[i, k] - truth[i, k]
                own.append(math.sqrt(dx * dx + dy * dy) / lengths[i])
        if own:
            means.append(sum(own) / len(own))
            pooled.extend(own)
    errors = metrics.image_errors(away, lengths)
    assert np.isfinite(errors).sum() == len(means)
    assert metrics.nme_macro(away, lengths) == pytest.approx(sum(means) / len(means))
    assert metrics.nme_micro(away, lengths) == pytest.approx(sum(pooled) / len(pooled))
    for t in THRESHOLDS:
        assert metrics.auc(errors, t) == pytest.approx(sum(max(0, 1 - e / t) for e in means) / len(means))
        assert metrics.failure_rate(errors, t) == pytest.approx(sum(e > t for e in means) / len(means))
        assert metrics.pck(away, lengths, t) == pytest.approx(sum(d <= t for d in pooled) / len(pooled))


def test_macro_and_micro_agree_where_all_is_labelled_and_only_there() -> None:
    for missing, same in ((0.0, True), (0.4, False)):
        predicted, truth, boxes = faces(40, missing=missing)
        away, lengths = metrics.distances(predicted, truth), metrics.normaliser("box", truth, SCHEMA, boxes)
        gap = abs(metrics.nme_macro(away, lengths) - metrics.nme_micro(away, lengths))
        assert (gap < 1e-12) == same


def test_nothing_to_score_is_nan_without_a_warning() -> None:
    away, lengths = np.full((3, 2), np.nan), np.array([1.0, np.nan, 2.0])
    cases = ((away, lengths), (np.ones((3, 2)), np.full(3, np.nan)), (np.empty((0, 2)), np.empty(0)))
    for off, over in cases:
        errors = metrics.image_errors(off, over)
        scores = [metrics.nme_macro(off, over), metrics.nme_micro(off, over), metrics.pck(off, over, 0.08)]
        assert np.isnan([*scores, metrics.auc(errors, 0.08), metrics.failure_rate(errors, 0.08)]).all()
        assert [len(part) for part in metrics.ced(errors)] == [0, 0]


# --- CED, AUC, FR, PCK ---


def test_the_ced_is_a_staircase_of_the_sorted_errors() -> None:
    ordered, shares = metrics.ced(np.array([0.3, np.nan, 0.1, 0.2, 0.1]))
    assert ordered.tolist() == [0.1, 0.1, 0.2, 0.3]
    assert shares.tolist() == [0.25, 0.5, 0.75, 1]


def test_auc_and_failures_made_by_hand() -> None:
    errors = np.array([0.0, 0.04, 0.08, 0.5, np.nan])
    assert metrics.auc(errors, 0.08) == pytest.approx((1 + 0.5 + 0 + 0) / 4)
    assert metrics.failure_rate(errors, 0.08) == 0.25  # an error of just the threshold is no failure
    assert metrics.auc(np.zeros(3), 0.05) == 1
    assert metrics.auc(np.ones(3), 0.05) == 0


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_auc_is_the_integral_of_the_ced(threshold: float) -> None:
    errors = np.random.default_rng(4).gamma(2, 0.03, 57)
    ordered, shares = metrics.ced(errors)
    steps = 200_000
    middles = (np.arange(steps) + 0.5) * threshold / steps
    reached = np.searchsorted(ordered, middles, side="right")
    curve = np.concatenate([[0.0], shares])[reached]
    assert metrics.auc(errors, threshold) == pytest.approx(curve.mean(), abs=1e-5)
    at = np.concatenate([[0.0], shares])[np.searchsorted(ordered, threshold, side="right")]
    assert metrics.failure_rate(errors, threshold) == pytest.approx(1 - at)


def test_pck_counts_points_up_to_the_threshold() -> None:
    away = np.array([[0.5, 1.0, 1.5], [np.nan, 8.0, 4.0], [1.0, 1.0, 1.0]])
    lengths = np.array([10.0, 40.0, np.nan])
    assert metrics.pck(away, lengths, 0.1) == pytest.approx(3 / 5)
    assert metrics.pck(away, lengths, 0.2) == 1


# --- what must not matter ---


def figures(predicted: Floats, truth: Floats, boxes: Floats, kind: Kind) -> list[float]:
    away, lengths = metrics.distances(predicted, truth), metrics.normaliser(kind, truth, SCHEMA, boxes)
    errors = metrics.image_errors(away, lengths)
    scores = [metrics.nme_macro(away, lengths), metrics.nme_micro(away, lengths)]
    for t in THRESHOLDS:
        scores += [metrics.auc(errors, t), metrics.failure_rate(errors, t), metrics.pck(away, lengths, t)]
    return scores


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("with_boxes", [True, False])
def test_a_pictures_size_and_place_and_the_order_of_rows_do_not_matter(kind: Kind, with_boxes: bool) -> None:
    predicted, truth, boxes = faces(31)
    if not with_boxes:
        boxes[:] = np.nan
    one = figures(predicted, truth, boxes, kind)
    rng = np.random.default_rng(1)
    size, rows = rng.uniform(0.3, 5, (31, 1, 1)), rng.permutation(31)
    assert figures(predicted * size, truth * size, boxes * size[:, 0], kind) == pytest.approx(one)
    moved = np.array([37.0, -210.0])
    assert figures(predicted + moved, truth + moved, boxes + np.array([*moved, 0, 0]), kind) == pytest.approx(one)
    assert figures(predicted[rows], truth[rows], boxes[rows], kind) == pytest.approx(one)


def test_mae_moves_with_the_pictures_size_and_not_with_its_place() -> None:
    predicted, truth, _ = faces(31)
    mae = metrics.mae(metrics.residuals(predicted, truth))
    assert metrics.mae(metrics.residuals(3 * predicted, 3 * truth)) == pytest.approx(3 * mae)
    assert metrics.mae(metrics.residuals(predicted - 55, truth - 55)) == pytest.approx(mae)


# --- the file that tells a run's frames ---


def made_faces(n: int = 5) -> Faces:
    rng = np.random.default_rng(2)
    matrix = rng.normal(0, 3, (n, 3, 3))
    matrix[:, 2] = 0, 0, 1
    boxes = rng.uniform(-9, 500, (n, 4))
    boxes[1] = np.nan
    return Faces(np.array([f"a/{i}.jpg#2" for i in range(n)]), Affine(matrix), boxes, rng.integers(1, 9000, (n, 2)))


def test_faces_come_back_as_written(tmp_path: Path) -> None:
    made = made_faces()
    write_faces(tmp_path / "faces.parquet", made)
    again = read_faces(tmp_path / "faces.parquet")
    assert again.ids.tolist() == made.ids.tolist()
    assert np.array_equal(again.to_frame.matrix, made.to_frame.matrix)
    assert np.array_equal(again.boxes, made.boxes, equal_nan=True)
    assert np.array_equal(again.sizes, made.sizes)
    assert again.sizes.dtype == np.int64


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda frame: frame.drop(columns="to_frame_e"), "no column 'to_frame_e'"),
        (lambda frame: frame.drop(columns="id"), "no column 'id'"),
        (lambda frame: frame.assign(to_frame_a=np.nan), "row 0 has a map or a size that is no number"),
    ],
)
def test_a_damaged_file_of_faces_is_an_error(tmp_path: Path, change: Any, words: str) -> None:
    import pandas as pd

    path = tmp_path / "faces.parquet"
    write_faces(path, made_faces())
    change(pd.read_parquet(path)).to_parquet(path)
    with pytest.raises(DataError, match=words):
        read_faces(path)
    path.write_bytes(b"PAR1 no more")
    with pytest.raises(DataError, match=r"faces\.parquet"):
        read_faces(path)
