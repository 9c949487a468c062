"""Law: `kptool relabel` fills what nobody marked, and no fold's students learn from that fold's labels."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from in_process import RUN_FOLDS, here
from own_competition import FULL, POINTS, ROWS, Own, write_own
from test_cli import Said, refused, run_kptool

from kptool.dataset import Ints
from kptool.engine.cross_validate import begin, train
from kptool.engine.reopen import reopen
from kptool.folds import load as load_folds
from kptool.geometry import Floats
from kptool.intake import take_in
from kptool.pictures import open_frames
from kptool.pixels import Arrays
from kptool.predictions import read_points, read_predictions, write_points
from kptool.relabel import relabel
from kptool.relabel.filling import Labels, sources
from kptool.relabel.teachers import ask, held_out
from kptool.runs import Run, open_run
from kptool.soft_labels import FILE, SoftSet, read_about, read_set

# Views without shifts: a model then answers for relabel exactly as it did out of fold.
SETTINGS = ("train.epochs=1", "predict.shift=0.0")


class Done(NamedTuple):
    """A competition and a finished run of it."""

    own: Own
    run: Path


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    own, root = write_own(tmp_path_factory.mktemp("mine")), tmp_path_factory.mktemp("runs")
    words = [word for setting in SETTINGS for word in ("--set", setting)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RUN_FOLDS, here)
        said = run_kptool("cv", own.competition, "--data", own.data, "--runs", root, *words, "--json")
    assert said.code == 0, said
    (path,) = (root / "own-faces").iterdir()
    return Done(own, path)


def copy_of(done: Done, folder: Path) -> Run:
    shutil.copytree(done.run, folder / "runs" / "own-faces" / "copy")
    return open_run(folder / "runs" / "own-faces" / "copy")


def read(run: Run) -> tuple[Floats, Ints, Arrays]:
    """Labels, folds and pictures of a run."""
    ids, truth = read_points(run.path / "truth.parquet", run.found.competition.schema_of_points)
    return truth, load_folds(run.path / "folds.parquet", run.env["data_digest"], ids).fold, open_frames(run)


def fills(run: Run, **more: Any) -> dict[int, SoftSet]:
    return relabel(run, lambda *_: None, **more).sets


# --- what is filled ---


def test_every_missing_point_is_filled_for_the_folds_that_train_on_it(done: Done, tmp_path: Path) -> None:
    run = copy_of(done, tmp_path)
    truth, fold, arrays = read(run)
    said = run_kptool("relabel", run.path)
    assert said.code == 0, said
    words = " ".join(said.out.split())
    assert f"{2 * (ROWS - FULL)} filled by copy" in words
    for eye in POINTS[:2]:
        assert re.search(rf"{eye} 4 points {ROWS - FULL} {ROWS - FULL} ", words), words
    assert "nose" not in words, "nobody lacks it"
    assert said.out.rstrip().endswith(f"next: kptool relabel {run.path} --apply")
    file = run.path / FILE
    assert read_about(file).folds == [0, 1]
    for g in range(2):
        one = read_set(file, g, arrays.ids, arrays.schema)
        missing = np.isnan(truth[..., 0]) & (fold != g)[:, None]
        assert one.row.tolist() == np.flatnonzero(missing.any(1)).tolist()
        assert (one.scheme == 0).all()
        np.testing.assert_array_equal(np.isfinite(one.points).all(-1), missing[one.row])
        known = np.isfinite(one.radius)
        assert (known == missing[one.row]).all()
        assert (one.radius[known] > 0).all()


def test_json_tells_the_same_and_the_file_is_the_same_again(done: Done, tmp_path: Path) -> None:
    run, out = copy_of(done, tmp_path), tmp_path / "soft.parquet"
    said = run_kptool("relabel", run.path, "--out", out, "--json", "--level", 0.8)
    told = json.loads(said.out)
    assert (told["file"], told["level"], told["filled"]) == (str(out), 0.8, 2 * (ROWS - FULL))
    assert not (run.path / FILE).exists()
    assert [one["point"] for one in told["points"]] == list(POINTS[:2])
    assert all(one["scheme"] == "4 points" and one["rmse"] > 0 and one["radius"] > 0 for one in told["points"])
    (check,) = told["checks"]
    assert check["labels"] == 2 * (ROWS - FULL), "nose and chin of the others"
    assert 0 <= check["held"] <= 1
    before = out.read_bytes()
    run_kptool("relabel", run.path, "--out", out, "--level", 0.8)
    assert out.read_bytes() == before


def test_a_model_answers_as_it_did_out_of_fold(done: Done) -> None:
    run = open_run(done.run)
    _, fold, arrays = read(run)
    task = reopen(run, arrays)
    answers = ask(run, task, {g: np.ones(ROWS, dtype=np.bool_) for g in range(2)}, lambda *_: None)
    points, spread = held_out(answers, fold, task.scheme)
    oof = read_predictions(run.path / "oof.parquet", arrays.schema)
    np.testing.assert_allclose(points, oof.points, rtol=0, atol=1e-3)
    np.testing.assert_allclose(spread, oof.spread, rtol=0, atol=1e-3)
    wrong = held_out({g: answers[1 - g] for g in range(2)}, fold, task.scheme)[0]
    assert np.abs(wrong - oof.points).max() > 0.1


def test_labels_that_edits_took_away_are_filled_in_the_images_own_scheme(done: Done, tmp_path: Path) -> None:
    run = copy_of(done, tmp_path)
    truth, fold, arrays = read(run)
    full = np.flatnonzero(np.isfinite(truth).all((1, 2)))
    left = truth.copy()
    left[full[:5], 2] = np.nan
    left[full[5]] = np.nan  # dropped: it is not trained on, so it needs none
    write_points(run.path / "labels.parquet", arrays.ids, left, arrays.schema)
    for g, one in fills(run).items():
        assert full[5] not in one.row
        place = {int(row): m for m, row in enumerate(one.row)}
        for row in (int(row) for row in full[:5] if fold[row] != g):
            assert np.isfinite(one.points[place[row]]).all(-1).tolist() == [False, False, True, False]
            assert one.scheme[place[row]] == 0


def test_radii_are_made_of_the_other_folds_errors(done: Done, tmp_path: Path) -> None:
    run = copy_of(done, tmp_path)
    wide, narrow = fills(run, level=0.9), fills(run, level=0.5)
    for g in wide:
        known = np.isfinite(wide[g].radius)
        assert (narrow[g].radius[known] < wide[g].radius[known]).all()
        np.testing.assert_array_equal(narrow[g].points, wide[g].points)
    # One fold alone has no other: its labels are there, their radii not known.
    (run.fold(1) / "oof.parquet").unlink()
    alone = fills(open_run(run.path))
    assert list(alone) == [0]
    np.testing.assert_array_equal(alone[0].points, wide[0].points)
    assert np.isnan(alone[0].radius).all()


def test_who_fills_a_point() -> None:
    """An image's own scheme where it marks the point, else the one with most labels of it, else nobody."""
    masks = np.array([[1, 1, 1, 1, 0], [0, 1, 1, 0, 0], [0, 0, 1, 1, 0]], dtype=np.bool_)
    scheme = np.array([0] * 2 + [1] * 4 + [2] * 7)
    taught = masks[scheme].copy()
    taught[0, 1] = False
    taught[2:6, 2] = False  # the second scheme marks it, but no label is left to have learned it from
    labels = Labels(np.zeros((13, 5, 2)), taught, np.arange(13) % 2, scheme, masks)
    everyone = np.ones(13, dtype=np.bool_)
    expected = [[0, 0, 0, 0, -1], [0, 1, 2, 2, -1], [0, 1, 2, 2, -1]]
    assert sources(labels, everyone).tolist() == expected
    assert sources(labels, scheme == 0).tolist() == [[0, 0, 0, 0, -1]] * 3


# --- the leak ---


def test_a_folds_set_knows_nothing_of_that_folds_labels(
    done: Done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other labels in fold 1, and its teacher trained anew: not a byte of its set moves."""
    run = copy_of(done, tmp_path)
    truth, fold, _ = read(run)
    moved = np.where((fold == 1)[:, None, None], truth + np.array([9.0, -6.0]), truth)
    intake = take_in(run.found, run.recipe, done.own.data, run.path / "folds.parquet")
    env = {"data": str(done.own.data), "device": "cpu", "folds": [0, 1]}
    monkeypatch.setattr(RUN_FOLDS, here)

    def trained(name: str, points: Floats) -> Run:
        # Both in this process, whose threads and kernels other tests may have set: bytes are compared.
        own = replace(intake, dataset=replace(intake.dataset, points=points))
        made = begin(tmp_path / name, run.found, run.recipe, own, dict(env))
        train(made, own, lambda _: None, 1)
        return open_run(made.path)

    run, again = trained("first", intake.dataset.points), trained("again", moved)
    before = fills(run)
    both = fills(open_run(again.path))
    # The other teacher has learned from fold 1: its own set moves, and of set 1 only the radii that its errors make.
    assert not np.array_equal(both[0].points, before[0].points, equal_nan=True)
    assert np.array_equal(both[1].points, before[1].points, equal_nan=True)
    shutil.rmtree(again.fold(0))
    shutil.copytree(run.fold(0), again.fold(0))
    after = fills(open_run(again.path))
    names = ("row", "scheme", "points", "radius")
    assert all(getattr(after[1], n).tobytes() == getattr(before[1], n).tobytes() for n in names)


# --- training with it ---


def test_apply_trains_and_tells_the_gain(done: Done, tmp_path: Path) -> None:
    run = copy_of(done, tmp_path)
    said = run_kptool("relabel", run.path, "--apply", "--runs", tmp_path / "new", "--workers", 1, "--json")
    assert said.code == 0, said
    applied = json.loads(said.out)["applied"]
    made = open_run(Path(applied["run"]))
    assert made.path.name.endswith("-default-relabelled")
    assert made.recipe.data.soft == str((run.path / FILE).resolve())
    assert made.finished == [0, 1]
    assert made.recipe.digest != run.recipe.digest
    whole, *each = applied["gains"]
    assert [one["over"] for one in (whole, *each)] == ["all images", "images of 4 points", "images of 2 points"]
    assert whole["difference"] == pytest.approx(whole["value"] - whole["base"])
    assert whole["low"] <= whole["high"]
    assert whole["images"] == ROWS == sum(one["images"] for one in each)
    (compared,) = json.loads(run_kptool("compare", run.path, made.path, "--json").out)["differences"]
    assert {key: whole[key] for key in compared if key != "name"} == {k: v for k, v in compared.items() if k != "name"}
    assert (run.path / "folds.parquet").read_bytes() == (made.path / "folds.parquet").read_bytes()
    told = refused(2, "relabel", made.path, "--out", run.path / FILE)
    assert f"{run.path / FILE} is what {made.path} itself has learned from" in told
    resumed = refused_resume(made, run.path / FILE)
    assert "data.soft" in resumed


def refused_resume(run: Run, file: Path) -> str:
    """What --resume says once the file is another; the run has a fold left to train."""
    (run.fold(1) / "oof.parquet").unlink()
    file.write_bytes(file.read_bytes() + b" ")
    return refused(3, "cv", "--resume", run.path)


def test_apply_in_words(done: Done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = copy_of(done, tmp_path)
    monkeypatch.setattr(RUN_FOLDS, here)
    (run.fold(0) / "oof.parquet").unlink()
    said = run_kptool("relabel", run.path, "--apply", "--runs", tmp_path / "new", "--workers", 1)
    assert said.code == 0, said
    assert "fold 0 of copy is not finished: students of the same get none" in said.out
    assert re.search(r"^all images: RMSE \d+\.\d+ px -> \d+\.\d+ px, [+-]\d+\.\d+ px \(.* to .*\): \w+", said.out, re.M)
    (new,) = (tmp_path / "new" / "own-faces").iterdir()
    assert open_run(new).wanted == [1], "only folds that both runs have can be held against each other"
    assert said.out.rstrip().endswith(f"next: kptool compare {run.path} {new}")


# --- what cannot be ---


def test_nothing_to_fill(done: Done, tmp_path: Path) -> None:
    run = copy_of(done, tmp_path)
    truth, _, arrays = read(run)
    write_points(run.path / "truth.parquet", arrays.ids, np.nan_to_num(truth, nan=50.0), arrays.schema)
    said: Said = run_kptool("relabel", run.path, "--apply")
    assert said.code == 0, said
    assert "every point of every training image is labelled, so there is nothing to fill" in said.out
    assert not (run.path / FILE).exists()
    told = json.loads(run_kptool("relabel", run.path, "--json").out)
    assert (told["file"], told["filled"], told["points"]) == (None, 0, [])


def test_an_ensemble_and_an_unfinished_run_are_refused(done: Done, tmp_path: Path) -> None:
    said = json.loads(run_kptool("ensemble", done.run, "--runs", tmp_path, "--json").out)
    told = refused(2, "relabel", said["run"])
    assert (
        f"is an ensemble, which has no model of its own for each fold; relabel one of its runs, as {done.run.name}"
        in told
    )
    run = copy_of(done, tmp_path)
    for k in range(2):
        (run.fold(k) / "oof.parquet").unlink()
    assert "no fold is finished; kptool cv --resume" in refused(3, "relabel", run.path)
    assert "give a share between 0 and 1" in refused(2, "relabel", done.run, "--level", 1.0)
    assert "is not a run" in refused(2, "relabel", tmp_path)


def test_help_has_an_example() -> None:
    assert "Example: kptool relabel" in run_kptool("relabel", "--help").out
