"""Law: what answering in its own marking scheme is worth is told exactly, in original px, and changes no prediction."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from own_competition import FULL, write_own
from rich.cells import cell_len
from rich.console import Console
from torch import nn

from kptool.cli import answer as steps
from kptool.competitions import find
from kptool.config import Recipe
from kptool.dataset import Dataset, Ints, Lookup, Predictions
from kptool.engine.cross_validate import begin
from kptool.engine.fit import fit
from kptool.engine.of_points import frames_of, make_task
from kptool.engine.state import Job, final_model
from kptool.errors import DataError
from kptool.geometry import Floats, about, identity, scale, shift
from kptool.intake import TestSet as Asked
from kptool.intake import take_in
from kptool.models.net import Net
from kptool.pixels import Arrays
from kptool.predict import Step
from kptool.predictions import read_predictions, write_predictions
from kptool.report import build, to_json
from kptool.report.load import load
from kptool.report.outcome import Outcome
from kptool.report.terminal import render
from kptool.runs import Run
from kptool.schema import Schema, make_schema
from kptool.tasks.across import FILE, Across, read_across, sum_across, write_across
from kptool.tasks.keypoints import Keypoints
from kptool.views import make_views

W, H, K, N, S = 44, 36, 5, 143, 3
SCHEMA = make_schema("test", ["left", "right", "nose", "lip", "chin"], [("left", "right")])
MASKS = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 0, 1, 1, 0]], dtype=np.bool_)


class Known(nn.Module):
    """A network whose answer in scheme s is the true point, plus offset s, less its label shift; counts its passes."""

    def __init__(self, true: Floats, offsets: Floats, shifts: Floats) -> None:
        super().__init__()
        self.true, self.offsets, self.shifts = (torch.from_numpy(v) for v in (true, offsets, shifts))
        self.passes = 0

    @property
    def head(self) -> Known:
        return self

    def label_shift(self, scheme: torch.Tensor) -> torch.Tensor:
        return torch.stack([self.shifts[scheme], torch.zeros(len(scheme))], -1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.passes += 1
        return images[:, 0, 3, 5].long()  # the picture's grey is its row

    def decode(self, raw: torch.Tensor, scheme: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        moved = self.offsets[scheme] - self.label_shift(scheme)
        return self.true[raw.long()] + moved[:, None], torch.full((len(raw), K), torch.nan)


def known(offsets: list[list[float]], shifts: list[float]) -> tuple[Keypoints, Any]:
    """Frames with slack, cut from photos at other scales; rows in three schemes, with holes."""
    generator = np.random.default_rng(0)
    images = np.tile(np.arange(N, dtype=np.uint8)[:, None, None, None], (1, 1, H + 4, W + 6))
    frame = generator.uniform(5, 30, (N, K, 2))
    scheme = generator.integers(0, S, N)
    lost = ~MASKS[scheme] | (generator.random((N, K)) < 0.1)
    to_frame = about((-0.5, -0.5), scale(*[generator.uniform(0.3, 2, N)] * 2)).then(shift(7, -3))
    labels = np.where(lost[..., None], np.nan, frame)
    ids = np.array([f"f{n}" for n in range(N)])
    arrays = Arrays(ids, images, labels, to_frame, SCHEMA, shift(-3, -2), (W, H))
    recipe = Recipe.model_validate({"predict": {"mirror": False, "shift": 1.5}})
    net: Any = Known(frame - [3, 2], np.array(offsets), np.array(shifts)).eval()
    return Keypoints(arrays, scheme, S, recipe, "cpu", "fp32"), net


OFFSETS = [[0.0, 0.5], [2.0, 0.0], [-1.0, 1.0]]


def test_known_offsets_give_known_sums_in_original_pixels() -> None:
    task, net = known(OFFSETS, [0.0, 1.25, -0.5])
    rows = np.arange(7, N)
    across = sum_across(task.answer_in_all(net, rows), task.truth(rows), task.scheme[rows])
    size = task.arrays.to_frame.matrix[rows, 0, 0]  # frame px per original px
    labelled = np.isfinite(task.arrays.points_frame[rows, :, 0])
    for s in range(S):
        own = task.scheme[rows] == s
        assert across.values[s].tolist() == (2 * labelled[own].sum(0)).tolist()
        for t, (dx, dy) in enumerate(OFFSETS):
            expected = (((dx**2 + dy**2) / size[own] ** 2)[:, None] * labelled[own]).sum(0)
            np.testing.assert_allclose(across.squares[s, t], expected, rtol=1e-9)


def test_the_own_scheme_is_what_answer_says_and_one_pass_does_for_all() -> None:
    task, net = known(OFFSETS, [0.0, 1.25, -0.5])
    rows = np.arange(N)[::-1]
    everywhere = task.answer_in_all(net, rows)
    assert everywhere.shape == (S, N, K, 2)
    assert net.passes == 2  # batches of 128
    own, _ = task.answer(net, rows, [identity()])
    assert np.array_equal(everywhere[task.scheme[rows], np.arange(N)], own)
    for s in range(S):
        in_s = replace(task, scheme=np.full(N, s))
        assert np.array_equal(in_s.answer(net, rows, [identity()])[0], everywhere[s])


def test_sums_over_folds_are_those_of_all_rows(tmp_path: Path) -> None:
    task, net = known(OFFSETS, [0.0, 1.25, -0.5])
    fold = np.random.default_rng(1).integers(0, 4, N)
    parts = []
    for k in range(4):
        (tmp_path / f"fold-{k}").mkdir()
        task.write_predictions(net, np.flatnonzero(fold == k), tmp_path / f"fold-{k}" / "oof.parquet")
        parts.append(read_across(tmp_path / f"fold-{k}" / FILE, S, K))
    rows = np.arange(N)
    whole = sum_across(task.answer_in_all(net, rows), task.truth(rows), task.scheme)
    first, *others = parts
    pooled = sum(others, first)
    assert np.array_equal(pooled.values, whole.values)
    np.testing.assert_allclose(pooled.squares, whole.squares, rtol=1e-12)


def test_out_of_fold_predictions_are_the_bytes_they_were(tmp_path: Path) -> None:
    """The new file is written beside them, from other answers, and before: oof.parquet says that a fold is finished."""
    task, net = known(OFFSETS, [0.0, 1.25, -0.5])
    rows = np.arange(20, 90)
    points, spread = task.answer(net, rows, make_views(task.recipe.predict, (W, H)))
    write_predictions(tmp_path / "before.parquet", Predictions(task.arrays.ids[rows], points, spread, SCHEMA))
    task.write_predictions(net, rows, tmp_path / "oof.parquet")
    assert (tmp_path / "oof.parquet").read_bytes() == (tmp_path / "before.parquet").read_bytes()
    assert (tmp_path / FILE).is_file()
    assert (tmp_path / FILE).stat().st_mtime_ns <= (tmp_path / "oof.parquet").stat().st_mtime_ns


@pytest.mark.parametrize("case", ["one scheme", "one set of outputs", "rows of one scheme"])
def test_there_is_no_file_where_there_is_nothing_to_compare(tmp_path: Path, case: str) -> None:
    task, net = known(OFFSETS, [0.0, 1.25, -0.5])
    if case == "one scheme":
        task = replace(task, schemes=1, scheme=np.zeros(N, dtype=np.int64))
    elif case == "one set of outputs":
        task = replace(task, recipe=Recipe.model_validate({"model": {"per_scheme": False}}))
    else:
        task = replace(task, scheme=np.zeros(N, dtype=np.int64))
    task.write_predictions(net, np.arange(9), tmp_path / "oof.parquet")
    assert [file.name for file in tmp_path.iterdir()] == ["oof.parquet"]


def test_the_sums_come_back_to_every_bit_or_not_at_all(tmp_path: Path) -> None:
    generator = np.random.default_rng(2)
    across = Across(generator.exponential(1e3, (S, S, K)) / 3, generator.integers(0, 10**9, (S, K)))
    path = tmp_path / FILE
    write_across(path, across)
    back = read_across(path, S, K)
    assert np.array_equal(back.squares, across.squares)
    assert np.array_equal(back.values, across.values)
    with pytest.raises(DataError, match="not of 2 marking schemes of 5 points"):
        read_across(path, 2, K)
    for text in (
        "",
        "{",
        "[]",
        "3",
        '{"squares": 1}',
        '{"squares": [["a"]], "values": [[1]]}',
        '{"squares": [[1], 2]}',
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=r"schemes\.json") as error:
            read_across(path, S, K)
        assert "\n" not in str(error.value)


# --- from a run to its report ---


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two folds of the competition of one's own, an epoch each."""
    folder = tmp_path_factory.mktemp("gain")
    own = write_own(folder)
    recipe = Recipe.model_validate(
        {
            "model": {"width": 8},
            "train": {"epochs": 1, "batch_size": 8, "precision": "fp32"},
            "folds": {"count": 2, "near_duplicates": False},
            "predict": {"mirror": False, "shift": 0},
        }
    )
    found = find(str(own.competition))
    intake = take_in(found, recipe, own.data)
    made = begin(folder / "runs", found, recipe, intake, {"data": str(own.data), "device": "cpu", "folds": [0, 1]})
    frames, schema = frames_of(intake.dataset, recipe), intake.dataset.schema
    task = make_task(frames, schema, intake.scheme, 2, recipe, "cpu")
    for k in (0, 1):
        job = Job(made.fold(k), k, recipe, intake.folds.train(k), intake.folds.held_out(k), "cpu", "fp32")
        fit(job, task, lambda _: None)
    return made


def shown(outcome: Outcome, width: int = 100) -> str:
    file = io.StringIO()
    render(build(outcome), Console(file=file, width=width))
    return file.getvalue()


def test_a_report_pools_the_folds_over_the_points_both_schemes_mark(run: Run) -> None:
    outcome = load(run)
    report = build(outcome)
    full, part = report.scheme_gains
    assert [(one.scheme, one.other, one.points) for one in (full, part)] == [
        ("4 points", "2 points", 2),
        ("2 points", "4 points", 2),
    ]
    assert (full.values, part.values) == (FULL * 4, (60 - FULL) * 4)
    # With the plain view alone, a row's own answer is its out-of-fold prediction.
    for s, one in enumerate((full, part)):
        errors = (outcome.predicted - outcome.truth)[outcome.scheme == s][:, 2:]
        assert one.rmse_own == pytest.approx(float(np.sqrt((errors**2).mean())), rel=1e-9)
    intake = take_in(run.found, run.recipe, Path(run.env["data"]), run.path / "folds.parquet")
    task: Any = make_task(
        frames_of(intake.dataset, run.recipe), intake.dataset.schema, 1 - intake.scheme, 2, run.recipe, "cpu"
    )
    other = np.full_like(outcome.predicted, np.nan)
    for k in (0, 1):
        model = final_model(task, run.fold(k), run.recipe)
        assert isinstance(model, Net)
        held = intake.folds.held_out(k)
        other[held] = task.answer(model, held, [identity()])[0]
    for s, one in enumerate((full, part)):
        errors = (other - outcome.truth)[outcome.scheme == s][:, 2:]
        assert one.rmse_other == pytest.approx(float(np.sqrt((errors**2).mean())), rel=1e-9)
        assert one.rmse_other != one.rmse_own


def test_the_report_tells_it_in_words_and_in_json(run: Run) -> None:
    outcome = load(run)
    full = build(outcome).scheme_gains[0]
    words = " ".join(shown(outcome, 200).split())
    assert (
        f"4 points RMSE {full.rmse_own:.3f} px in their own scheme, {full.rmse_other:.3f} px answered as 2 points, "
        "over the 2 points both mark"
    ) in words
    assert "--set model.per_scheme=false, and kptool compare" in words
    table = json.loads(json.dumps(to_json(build(outcome)), allow_nan=False))
    assert table["scheme_gains"][0] == {
        "scheme": "4 points",
        "other": "2 points",
        "points": 2,
        "values": FULL * 4,
        "rmse_own": full.rmse_own,
        "rmse_other": full.rmse_other,
    }
    for width in (80, 100, 120):
        assert max(map(cell_len, shown(outcome, width).splitlines())) <= width


def test_a_run_without_the_file_says_nothing_and_a_damaged_one_is_named(run: Run) -> None:
    file = run.fold(1) / FILE
    kept = file.read_text()
    try:
        file.write_text(kept[:-9])
        with pytest.raises(DataError, match=r"fold-1/schemes\.json: cannot be read"):
            load(run)
        file.unlink()
        assert load(run).across is None
        assert build(load(run)).scheme_gains == ()
        assert "another marking scheme" not in shown(load(run))
    finally:
        file.write_text(kept)
    assert "another marking scheme" in shown(load(run))


def made_up(run: Run, across: Across) -> Outcome:
    return replace(load(run), across=across)


def test_equal_outputs_gain_nothing_and_the_report_says_so(run: Run) -> None:
    task, net = known([[1.0, 2.0]] * S, [0.75] * S)
    rows = np.arange(N)
    across = sum_across(task.answer_in_all(net, rows), task.truth(rows), task.scheme)
    assert np.array_equal(across.squares, across.squares[:, :1].repeat(S, axis=1))
    squares = np.full((2, 2, 4), 3.0)
    outcome = made_up(run, Across(squares, np.full((2, 4), 10)))
    report = build(outcome)
    assert [one.rmse_own - one.rmse_other for one in report.scheme_gains] == [0, 0]
    said = [words for words in report.warnings if "answered no better in their own marking scheme" in words]
    assert len(said) == 2
    assert "model.per_scheme = false" in said[0]
    squares[:, :, 2:] = [[[3.0, 1.0], [9.0, 7.0]], [[9.0, 7.0], [3.0, 1.0]]]
    report = build(made_up(run, Across(squares, np.full((2, 4), 10))))
    assert [(one.rmse_own, one.rmse_other) for one in report.scheme_gains] == [
        pytest.approx((np.sqrt(4 / 20), np.sqrt(16 / 20)))
    ] * 2
    assert not [words for words in report.warnings if "marking scheme" in words]


def test_outputs_that_were_never_trained_are_no_rival(run: Run) -> None:
    """A recipe of complete rows alone has outputs for the other scheme, but nothing to fill them with."""
    values = np.array([[10, 10, 10, 10], [0, 0, 0, 0]])
    assert build(made_up(run, Across(np.ones((2, 2, 4)), values))).scheme_gains == ()


# --- who picks the scheme ---


def test_a_test_image_is_answered_in_the_scheme_it_is_asked_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the points asked for, whatever the images and in whatever order the table asks."""
    asked = [["nose", "chin"], ["left_eye", "right_eye", "nose", "chin"], ["chin"], ["left_eye"], []]
    schema: Schema = run.found.competition.schema_of_points
    cells = [(row, schema.index(name), axis) for row, names in enumerate(asked) for name in names for axis in (0, 1)]
    image, point, axis = np.array([cells[n] for n in np.random.default_rng(3).permutation(len(cells))]).T
    lookup = Lookup(np.arange(len(cells)), image, point, axis, "table")
    blank = np.full((5, 4, 2), np.nan)
    test = Dataset(np.array(list("abcde")), np.zeros((5, 1, 96, 96), dtype=np.uint8), blank, schema, "test")
    seen: list[list[int]] = []

    def predict(_: Run, shown: Dataset, scheme: Ints, schemes: int) -> Iterator[Step]:
        seen.append([schemes, *scheme.tolist()])
        yield Step(1, Predictions(shown.ids, np.zeros((5, 4, 2)), np.zeros((5, 4)), schema))

    monkeypatch.setattr(steps, "predict_folds", predict)
    steps.answer(Console(file=io.StringIO()), run, Asked(test, lookup, None, []))
    assert seen == [[2, 1, 0, 1, 0, 0]]


def test_a_held_out_row_picks_its_scheme_by_its_pattern_and_never_by_its_coordinates(run: Run) -> None:
    intake = take_in(run.found, run.recipe, Path(run.env["data"]))
    moved = np.random.default_rng(4).uniform(-500, 500, intake.dataset.points.shape)
    elsewhere = np.where(np.isfinite(intake.dataset.points), moved, np.nan)
    labelled = replace(intake.dataset, points=elsewhere).labelled
    assert np.array_equal(intake.schemes.assign(labelled), intake.scheme)
    held = read_predictions(run.fold(0) / "oof.parquet", intake.dataset.schema)
    assert np.isfinite(held.points).all(), "every point is answered, whatever was labelled"
