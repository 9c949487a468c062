"""Law: what `kptool` does with points it does with pairs, from the files to the submission, and refuses in one line."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from in_process import RUN_FOLDS, here
from pair_competition import RECIPE, write_lfw, write_person
from test_cli import refused, run_kptool

from kptool.engine import cross_validate
from kptool.metrics.verification import accuracy, best_threshold
from kptool.pair_files import read_pairs, read_scores
from kptool.runs import Run, open_run


class Done(NamedTuple):
    data: Path
    recipe: Path
    runs: Path
    run: Run
    said: str


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """A finished run of 72 pairs in three folds, trained in this process."""
    root = tmp_path_factory.mktemp("pairs")
    data, recipe = write_lfw(root / "data"), root / "small.toml"
    recipe.write_text(RECIPE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cross_validate, RUN_FOLDS.rpartition(".")[2], here)
        said = run_kptool("cv", "lfw-pairs", "--data", data, "--recipe", recipe, "--runs", root / "runs")
    assert said.code == 0, said
    (path,) = (root / "runs" / "lfw-pairs").iterdir()
    return Done(data, recipe, root / "runs", open_run(path), said.out)


def test_cv_says_what_came_in_and_ends_with_the_score_and_the_next_command(done: Done) -> None:
    told = " ".join(done.said.split())
    assert "72 pairs (36 of one person, 36 of two) of 54 pictures of 18 people, 6 groups that must not part" in told
    assert "held-out EER" in told
    assert "accuracy" in told
    assert "± " in told
    assert "LFW view 1, image-restricted, label-free outside data (its alignment)" in told
    assert f"next: kptool submit {done.run.path} --data {done.data}" in told


def test_the_folds_keep_people_apart_and_the_scores_are_of_all_pairs(done: Done) -> None:
    saved, scores = read_pairs(done.run.path), read_scores(done.run.path / "oof.parquet")
    assert scores.ids.tolist() == saved.ids.tolist()
    assert np.isfinite(scores.score).all()
    assert np.isfinite(scores.classical).all()
    env = done.run.env
    assert env["protocol"] == "LFW view 1"
    assert 0 < env["naive_leak"] <= 1


def test_report_prints_sections_and_json(done: Done) -> None:
    whole = run_kptool("report", done.run.path)
    assert whole.code == 0, whole
    assert "Hardest wrong pairs" in whole.out
    people = run_kptool("report", done.run.path, "--folds").out
    assert "Held-out folds" in people
    assert "Hardest" not in people
    table = json.loads(run_kptool("report", done.run.path, "--json").out)
    assert table["about"]["pairs"] == 72
    assert table["about"]["own_leak"] == 0
    assert 0 <= table["model"]["accuracy"] <= 1
    assert "--points is no section of a report on verification" in refused(2, "report", done.run.path, "--points")


def test_submit_answers_the_sealed_pairs_and_counts_the_looks(done: Done, tmp_path: Path) -> None:
    for looks in (0, 1):
        said = run_kptool("submit", done.run.path, "--out", tmp_path, "--json")
        assert said.code == 0, said
        record = json.loads(said.out)
        assert record["looks"] == looks
    files = sorted((tmp_path / "lfw-pairs").glob("*.csv"))
    assert len(files) == 2
    rows = list(csv.DictReader(files[0].open()))
    assert list(rows[0]) == ["pair", "score", "decision"]
    assert len(rows) == 24
    scores, decisions = (np.array([float(row[name]) for row in rows]) for name in ("score", "decision"))
    saved, own = read_pairs(done.run.path), read_scores(done.run.path / "oof.parquet")
    threshold = best_threshold(own.score, saved.same)
    assert record["threshold"] == threshold
    np.testing.assert_array_equal(decisions, scores >= threshold)
    same = np.array([len(row["pair"].split()) == 3 for row in rows])
    assert record["sealed"]["accuracy"] == accuracy(scores, same, threshold)
    assert record["classical"]["pairs"] == 24


def test_an_ensemble_answers_with_the_weighted_sum_of_its_runs(done: Done, tmp_path: Path) -> None:
    """The second run has other frames and other folds, and scores in a scale of its own."""
    root = tmp_path / "runs"
    words = [word for setting in ("seed=3", "crop.width=40", "crop.height=44") for word in ("--set", setting)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cross_validate, RUN_FOLDS.rpartition(".")[2], here)
        said = run_kptool("cv", "lfw-pairs", "--data", done.data, "--recipe", done.recipe, "--runs", root, *words)
    assert said.code == 0, said
    (second,) = (root / "lfw-pairs").iterdir()
    said = run_kptool("ensemble", done.run.path, second, "--weights", "equal", "--runs", root, "--json")
    assert said.code == 0, said
    both = Path(json.loads(said.out)["run"])
    answers, scales = [], []
    for path in (done.run.path, second, both):
        said = run_kptool("submit", path, "--out", tmp_path / "out", "--json")
        assert said.code == 0, said
        record = json.loads(said.out)
        rows = csv.DictReader((tmp_path / "out" / "lfw-pairs" / record["file"]).open())
        answers.append(np.array([float(row["score"]) for row in rows]))
        own = read_scores(path / "oof.parquet").score
        scales.append((own.mean(), own.std()))
    z = [(scores - middle) / spread for scores, (middle, spread) in zip(answers[:2], scales[:2], strict=True)]
    np.testing.assert_allclose(answers[2], np.mean(z, axis=0), rtol=0, atol=1e-9)
    assert record["recipe_digest"] == open_run(both).digest
    assert [part["run"] for part in record["ensemble"]] == [done.run.path.name, second.name]
    assert [part["weights"] for part in record["ensemble"]] == [{"pair": {"score": 0.5}}] * 2
    page = tmp_path / "page.html"
    said = run_kptool("report", both, "--html", page)
    assert said.code == 0, said
    assert "ensemble of 2 runs" in page.read_text(encoding="utf-8")


def test_people_of_the_training_pairs_may_not_be_submitted(done: Done, tmp_path: Path) -> None:
    told = refused(4, "submit", done.run.path, "--pairs", done.data / "pairsDevTrain.txt", "--out", tmp_path)
    assert told.startswith("18 of the 18 people of LFW view 1 stand in the training pairs")
    assert not list(tmp_path.rglob("*.csv"))


def test_a_changed_picture_stops_a_run_that_goes_on(done: Done, tmp_path: Path) -> None:
    data, path = tmp_path / "data", tmp_path / "run"
    shutil.copytree(done.data, data)
    shutil.copytree(done.run.path, path)
    shutil.copy(data / "lfw/Person_Aa/Person_Aa_0001.png", data / "lfw/Person_Ab/Person_Ab_0001.png")
    (path / "fold-1" / "oof.parquet").unlink()
    assert "was made for other data" in refused(3, "cv", "--resume", path, "--data", data)


def test_a_missing_picture_is_named_by_the_line_of_its_pair(done: Done, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(done.data, data)
    (data / "lfw/Person_Ab/Person_Ab_0002.png").unlink()
    told = refused(3, "cv", "lfw-pairs", "--data", data, "--recipe", done.recipe, "--runs", tmp_path / "runs")
    assert told.startswith("pairsDevTrain.txt:4: Person_Ab_0002")
    assert not (tmp_path / "runs").exists()


def test_a_picture_that_cannot_be_decoded_is_named_before_there_is_a_run(done: Done, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(done.data, data)
    picture = data / "lfw/Person_Ac/Person_Ac_0001.png"
    picture.write_bytes(picture.read_bytes()[:200])
    told = refused(3, "cv", "lfw-pairs", "--data", data, "--recipe", done.recipe, "--runs", tmp_path / "runs")
    assert "Person_Ac_0001" in told
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("model.head=soft-argmax", "model.head soft-argmax finds keypoints"),
        ("train.loss=mse", "cannot be trained with train.loss = mse"),
        ("model.start=mean-shape", "model.start = mean-shape is of keypoints"),
        ("data.on_bad=skip", "data.on_bad means nothing for verification: a protocol counts all of its pairs"),
        ("train.views=2", "train.views = 2 with train.pairs = given"),
        ("train.loss=supcon", "train.pairs = given with train.loss = supcon"),
        ("model.start=within", "model.start = within needs"),
        ("crop.height=36.5", "crop.height is 36.5"),
        ("crop.part=[0,0,2,1]", "crop.part"),
    ],
)
def test_settings_that_mean_nothing_for_pairs_are_refused(done: Done, tmp_path: Path, setting: str, words: str) -> None:
    more = ["--set", "model.embedding=0"] if setting == "model.start=within" else []
    runs = tmp_path / "runs"
    told = refused(
        2, "cv", "lfw-pairs", "--data", done.data, "--recipe", done.recipe, "--runs", runs, "--set", setting, *more
    )
    assert words in told
    assert not runs.exists()


@pytest.mark.parametrize("command", ["audit", "relabel", "predict"])
def test_commands_of_keypoints_refuse_a_run_of_pairs(done: Done, command: str) -> None:
    more = {"predict": [done.data]}.get(command, [])
    assert f"kptool {command} works on keypoints" in refused(2, command, done.run.path, *more)


def test_identities_make_pairs_of_their_own(done: Done, tmp_path: Path) -> None:
    faces = tmp_path / "faces"
    for person in range(8):
        write_person(faces, f"s{person}", person, 4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cross_validate, RUN_FOLDS.rpartition(".")[2], here)
        said = run_kptool(
            "cv", "lfw-pairs", "--data", faces, "--pairs-from", "identities", "--recipe", done.recipe,
            "--runs", tmp_path / "runs", "--epochs", 1, "--json",
        )  # fmt: skip
    assert said.code == 0, said
    about = json.loads(said.out)["about"]
    assert about["pairs"] == 2 * about["same"]
    assert about["own_leak"] == 0
    assert "drawn from 8 identities, seed 0" in about["protocol"]
    assert about["alignment"] == "alignment not known"


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("data.pairs_from=identities", "data.pairs_from is of verification"),
        ("train.label_clip=0.1", "train.label_clip is of verification"),
        ("train.epochs=0", "train.epochs = 0 leaves a network of keypoints as lot made it"),
    ],
)
def test_settings_that_mean_nothing_for_points_are_refused(tmp_path: Path, setting: str, words: str) -> None:
    assert words in refused(2, "cv", "demo", "--runs", tmp_path / "runs", "--set", setting)
    assert not (tmp_path / "runs").exists()
