"""Law: a submission has every row; faces whose picture cannot be seen get the mean shape in their box, and are told."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from kptool import provenance as records
from kptool import submit
from kptool.cli import answer as steps
from kptool.competitions import Found
from kptool.config import Competition, CropOptions, Recipe
from kptool.dataset import Dataset, Ints, Photos, Predictions
from kptool.errors import DataError, UsageError
from kptool.geometry import Floats, identity
from kptool.intake import TestSet as Asked  # pytest would take the name for a class of tests
from kptool.predict import Step
from kptool.predictions import Faces, write_faces, write_points
from kptool.runs import Run

POINTS = ("nose", "left_eye", "right_eye")
K = len(POINTS)
COMPETITION = Competition(
    slug="unseen", title="Unseen", format="dlib", points=list(POINTS), form="long", header="Id,Predicted"
)
SCHEMA = COMPETITION.schema_of_points
SHAPE = np.array([[0.5, 0.6], [0.7, 0.3], [0.3, -0.1]])  # in fractions of the box
CROPS = [
    CropOptions(width=40, height=56, aspect="keep", margin=0.3),
    CropOptions(width=56, height=40, aspect="stretch", margin=-0.1),
    CropOptions(width=31, box="image"),
]


def placed(boxes: Floats, shape: Floats = SHAPE) -> Floats:
    """A shape in the area that boxes cover: from left - 0.5 to left + width - 0.5."""
    return boxes[:, None, :2] - 0.5 + shape * boxes[:, None, 2:]


def boxes_of(count: int, seed: int) -> Floats:
    """Boxes of one shape, so that a crop that keeps the aspect treats all alike; some leave their photo."""
    draw = np.random.default_rng(seed)
    width = draw.uniform(20, 200, (count, 1))
    return np.concatenate([draw.uniform(-15, 100, (count, 2)), width, width * 1.25], axis=1)


def learned(count: int = 12) -> tuple[Floats, Faces]:
    """Training labels that scatter about SHAPE in their boxes, with a mean of exactly SHAPE, and some not labelled."""
    boxes = boxes_of(count, 1)
    off = np.random.default_rng(2).normal(0, 0.1, (count // 2, K, 2))
    truth = placed(boxes, SHAPE + np.concatenate([off, -off]))
    truth[[0, count // 2], 1] = np.nan  # a face and its opposite
    names = np.array([f"train-{n}" for n in range(count)])
    return truth, Faces(names, identity(count), boxes, np.tile(np.array([640, 480]), (count, 1)))


def unseen(boxes: Floats | None, sizes: Ints) -> Dataset:
    n = len(sizes)
    files = np.array([f"{row}.jpg" for row in range(n)])
    return Dataset(files, Photos(Path("nowhere"), files, sizes), np.full((n, K, 2), np.nan), SCHEMA, "d", boxes=boxes)


# --- the mean shape ---


@pytest.mark.parametrize("crop", CROPS)
@pytest.mark.parametrize("known", [True, False])
def test_the_mean_shape_is_placed_in_the_box_whether_or_not_the_size_is_known(crop: CropOptions, known: bool) -> None:
    truth, faces = learned()
    boxes = boxes_of(5, 3)
    sizes = np.tile(np.array([431, 312] if known else [0, 0]), (5, 1))
    found = submit.mean_faces(truth, faces, unseen(boxes, sizes), crop)
    assert np.abs(found - placed(boxes)).max() < 1e-9


def test_without_a_usable_box_the_picture_s_size_decides() -> None:
    truth, faces = learned()
    whole = np.tile(np.array([0.0, 0, 640, 480]), (len(truth), 1))
    mean = np.nanmean((truth + 0.5) / whole[:, None, 2:], axis=0)
    boxes = np.array([[np.nan] * 4, [5, 5, 0, 9], [900, 5, 10, 10], [-30, 5, 10, 10], [5.0, 5, 80, 100]])
    sizes = np.array([[640, 480], [1280, 960], [320, 240], [64, 48], [640, 480]])
    found = submit.mean_faces(truth, faces, unseen(boxes, sizes), CropOptions(width=20, height=15))
    assert np.abs(found[:4] - (mean * sizes[:4, None] - 0.5)).max() < 1e-9
    assert np.abs(found[4:] - placed(boxes[4:])).max() < 1e-9
    bare = submit.mean_faces(truth, faces, unseen(None, sizes), CropOptions(width=20, height=15))
    assert np.abs(bare - (mean * sizes[:, None] - 0.5)).max() < 1e-9


def test_training_faces_without_boxes_teach_nothing_of_boxes() -> None:
    truth, faces = learned()
    boxless = Faces(faces.ids, faces.to_frame, np.full_like(faces.boxes, np.nan), faces.sizes)
    boxes, sizes = boxes_of(2, 3), np.array([[640, 480], [320, 240]])
    crop = CropOptions(width=20, height=15)
    found = submit.mean_faces(truth, boxless, unseen(boxes, sizes), crop)
    assert np.array_equal(found, submit.mean_faces(truth, boxless, unseen(None, sizes), crop))
    with pytest.raises(DataError, match=r"1.jpg: neither a box nor the picture's size is known.*1 such"):
        submit.mean_faces(truth, boxless, unseen(boxes, np.array([[640, 480], [0, 0]])), crop)


def test_nothing_known_and_a_point_never_labelled_are_refused() -> None:
    truth, faces = learned()
    boxes = np.array([[np.nan] * 4, [5, 5, 20, 20]])
    with pytest.raises(DataError, match=r"0.jpg: neither a box nor the picture's size is known"):
        submit.mean_faces(truth, faces, unseen(boxes, np.zeros((2, 2), dtype=np.int64)), CROPS[0])
    truth[:, 2] = np.nan
    with pytest.raises(DataError, match="right_eye: labelled in no training face"):
        submit.mean_faces(truth, faces, unseen(boxes[1:], np.array([[90, 70]])), CROPS[0])


# --- fail or skip ---


def test_fail_stops_with_the_first_and_the_count() -> None:
    test = unseen(None, np.tile(np.array([9, 7]), (5, 1)))
    bad = [(3, "3.jpg: truncated"), (1, "1.jpg: no such file"), (3, "3.jpg: no box")]
    assert submit.guesses(test, [], "fail") == []
    with pytest.raises(DataError, match=r"3.jpg: truncated \(2 of 5 faces of the test set .*--on-bad skip"):
        submit.guesses(test, bad, "fail")
    skipped = [(1, records.Guess("1.jpg", "1.jpg: no such file")), (3, records.Guess("3.jpg", "3.jpg: truncated"))]
    assert submit.guesses(test, bad, "skip") == skipped
    with pytest.raises(DataError, match=r"5 of 5 faces"):
        submit.guesses(test, [(row, "gone") for row in range(5)], "skip")
    with pytest.raises(UsageError, match="--on-bad ignore"):
        submit.guesses(test, [], "ignore")


# --- from the run to the files ---


def a_run(folder: Path) -> Run:
    """A run with one finished fold and what a mean shape is made of."""
    path = folder / "runs" / "unseen" / "run"
    (path / "fold-0").mkdir(parents=True)
    (path / "fold-0" / "oof.parquet").write_bytes(b"")
    scheme = {"name": "3 points", "points": list(POINTS), "rows": 12}
    env = {"folds": [0], "schemes": [scheme], "data_digest": "d1"}
    (path / "env.json").write_text(json.dumps(env))
    truth, faces = learned()
    write_points(path / "truth.parquet", faces.ids, truth, SCHEMA)
    write_faces(path / "faces.parquet", faces)
    return Run(path, Found(COMPETITION, folder), Recipe(crop=CROPS[0]))


def oracle(points: Floats, test: Dataset) -> Predictions:
    rows = [int(Path(name).stem) for name in test.ids.tolist()]
    return Predictions(test.ids, points[rows], np.full((len(rows), K), 0.5), SCHEMA)


@pytest.mark.parametrize("bad", [[], [(1, "1.jpg: no such file"), (4, "4.jpg: [truncated]")]])
def test_a_submission_has_every_row_and_lists_the_faces_it_could_not_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: list[tuple[int, str]]
) -> None:
    n = 6
    boxes, points = boxes_of(n, 7), np.random.default_rng(8).uniform(-9, 99, (n, K, 2))
    test = unseen(boxes, np.array([[200, 300], [0, 0], [90, 50], [40, 40], [640, 480], [33, 44]]))
    asked: list[list[str]] = []

    def predict(_: Run, shown: Dataset, scheme: Ints, schemes: int) -> Iterator[Step]:
        asked.append(shown.ids.tolist())
        assert (len(scheme), schemes) == (len(shown), 1)
        yield Step(1, oracle(points, shown))

    report = SimpleNamespace(
        folds=[],
        metrics=SimpleNamespace(rmse=2.0, rmse_test_mix=float("nan")),
        lead=SimpleNamespace(score=SimpleNamespace(name="NME", normaliser="box", unit="%", value=4.25)),
    )
    monkeypatch.setattr(steps, "predict_folds", predict)
    monkeypatch.setattr(steps, "load", lambda run: run)
    monkeypatch.setattr(steps, "build", lambda _: report)
    said = io.StringIO()
    run = a_run(tmp_path)
    given = Asked(test, submit.whole_lookup(test), None, bad)
    answers = steps.answer(Console(file=said), run, given, "skip")
    rows = [row for row, _ in bad]
    assert asked == [[name for row, name in enumerate(test.ids.tolist()) if row not in rows]]
    expected = np.array(points)
    expected[rows] = placed(boxes[rows])
    assert np.abs(answers.predictions.points - expected).max() < 1e-9
    done = steps.write_all(run, answers, submit.choose(["long", "coco"], "long"), tmp_path / "out")
    assert [path.name.split("-run")[1] for path, _, _ in done] == [".csv", "-coco.json"]
    values = [float(row.split(",")[1]) for row in done[0][0].read_text().splitlines()[1:]]
    assert np.abs(np.array(values).reshape(n, K, 2) - expected).max() <= 0.50001e-4
    for path, beside, _ in done:
        record = json.loads(beside.read_text())
        assert [(one["image"], one["why"]) for one in record["mean_shape"]] == [(f"{r}.jpg", why) for r, why in bad]
        assert (record["file"], record["rows"]) == (path.name, n * K * 2)
        assert record["score"] == {"name": "NME (box)", "unit": "%", "value": 4.25}
    for row, why in bad:
        assert f"{row}.jpg: {why}" in said.getvalue()
    if bad:
        with pytest.raises(DataError, match=r"1.jpg: no such file \(2 of 6 faces"):
            steps.answer(Console(file=said), run, given)
        assert len(asked) == 1, "nothing is predicted before it stops"
