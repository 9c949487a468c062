"""Law: an ensemble is a run: it reports, submits, predicts and joins others, and is refused where its runs changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from own_competition import POINTS, ROWS, SIDE, TEST, Own, write_own
from PIL import Image
from test_cli import Said, refused, run_kptool

from kptool.config import CropOptions
from kptool.dataset import Dataset, Ints, Photos, Predictions
from kptool.ensemble import join, make, weigh
from kptool.errors import DataError
from kptool.intake import read_test
from kptool.members import mix
from kptool.predict import crop_like, crop_of, predict_folds
from kptool.predictions import read_predictions
from kptool.runs import Run, open_members, open_run
from kptool.views import pool

# The second run has other folds (by its seed), another frame, other views and another contrast.
OTHER = ("seed=7", "crop.width=64", "crop.height=60", "predict.shift=0.0", 'image.contrast="stretch"')


class Done(NamedTuple):
    """A competition and two finished runs of it, by different recipes."""

    own: Own
    one: Path
    two: Path


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    own, root = write_own(tmp_path_factory.mktemp("mine")), tmp_path_factory.mktemp("runs")
    paths = []
    for settings in ((), OTHER):
        words = [word for setting in ("train.epochs=1", *settings) for word in ("--set", setting)]
        said = run_kptool("cv", own.competition, "--data", own.data, "--runs", root, *words, "--workers", 1, "--json")
        assert said.code == 0, said
        paths += [path for path in (root / "own-faces").iterdir() if path not in paths]
    return Done(own, *paths)


@pytest.fixture(autouse=True)
def _one_thread_in_predictions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads on cores that other tests use wait for each other longer than they work."""
    monkeypatch.setattr("kptool.predict.cores", lambda: 1)


def ensemble(root: Path, *words: object) -> Said:
    return run_kptool("ensemble", *words, "--runs", root)


def made(root: Path, *words: object) -> Run:
    said = ensemble(root, *words, "--json")
    assert said.code == 0, said
    return open_run(Path(json.loads(said.out)["run"]))


def oof(run: Path) -> Predictions:
    return read_predictions(run / "oof.parquet", open_run(run).found.competition.schema_of_points)


def last(run: Run, dataset: Dataset, scheme: Ints) -> Predictions:
    *_, step = predict_folds(run, dataset, scheme, 2)
    assert step.folds == run.models
    return step.predictions


def exam(done: Done) -> tuple[Dataset, Ints]:
    """The test images, the first three to be answered in the full scheme."""
    dataset = read_test(open_run(done.one).found, done.own.data).dataset
    return dataset, (np.arange(TEST) >= 3).astype(np.int64)


def close(found: Predictions, points: Any, spread: Any) -> None:
    np.testing.assert_allclose(found.points, points, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.spread, spread, rtol=0, atol=1e-9)


# --- what is written ---


def test_an_average_is_a_run_that_reports(done: Done, tmp_path: Path) -> None:
    said = ensemble(tmp_path, done.one, done.two, "--weights", "equal", "--name", "both")
    assert said.code == 0, said
    (path,) = (tmp_path / "own-faces").iterdir()
    assert path.name.endswith("-both")
    run, one = open_run(path), open_run(done.one)
    parts = [oof(done.one), oof(done.two)]
    assert parts[0].ids.tolist() == parts[1].ids.tolist()
    close(oof(path), *pool(*(np.stack([getattr(p, name) for p in parts]) for name in ("points", "spread"))))
    assert f"run {path}" in said.out
    assert "both, ensemble of 2 runs" in " ".join(said.out.split())
    assert run.digest in said.out
    assert f"next: kptool submit {path} --data" in said.out.replace("'", "")
    for file in ("folds.parquet", "truth.parquet", "faces.parquet"):
        assert (path / file).read_bytes() == (done.one / file).read_bytes()
    env = run.env
    assert (env["folds"], run.finished, run.models) == ([0, 1], [0, 1], 4)
    assert env["parameters"] == one.env["parameters"] + open_run(done.two).env["parameters"]
    spent = [json.loads((r / "timing.json").read_text())["seconds"] for r in (done.one, done.two, path)]
    assert sum(spent[:2]) <= spent[2] < sum(spent[:2]) + 60
    again = run_kptool("report", path, "--json")
    table = json.loads(again.out)
    assert table["about"]["recipe_digest"] == run.digest != one.recipe.digest
    assert table["about"]["images_per_second"] is None
    assert table["label_shift"] == {}
    assert table["metrics"]["images"] == ROWS


def test_neither_order_nor_repeats_change_an_average(done: Done, tmp_path: Path) -> None:
    there = made(tmp_path, done.one, done.two, "--weights", "equal")
    back = made(tmp_path, done.two, done.one, "--weights", "equal")
    close(oof(back.path), oof(there.path).points, oof(there.path).spread)
    assert back.digest == there.digest
    own = oof(done.one)
    for words in ([done.one], [done.one, done.one], [done.one, done.one, "--weights", "equal"]):
        alone = made(tmp_path, *words)
        close(oof(alone.path), own.points, own.spread)
        members = alone.members
        assert members is not None
        assert [member.name for member in members.each] == [done.one.name]
        assert (members.weights == 1).all()
    dataset, scheme = exam(done)
    answer = last(open_run(done.one), dataset, scheme)
    close(last(alone, dataset, scheme), answer.points, answer.spread)


def test_json_tells_the_weights_and_the_gain(done: Done, tmp_path: Path) -> None:
    table = json.loads(ensemble(tmp_path, done.one, done.two, "--json").out)
    assert table["weights"] in ("fit", "equal")
    fit = table["fit"]
    assert fit["gain"] == pytest.approx(fit["equal"] - fit["fitted"])
    assert (fit["gain"] > fit["error"]) == (table["weights"] == "fit")
    shares = np.array([[list(row.values()) for row in one["weights"].values()] for one in table["members"]])
    assert shares.shape == (2, 2, len(POINTS))
    np.testing.assert_allclose(shares.sum(0), 1, atol=1e-12)
    lead = fit["fitted"] if table["weights"] == "fit" else fit["equal"]
    assert table["report"]["lead"]["score"]["value"] == pytest.approx(lead)
    saved = json.loads((Path(table["run"]) / "weights.json").read_text())
    assert saved["runs"] == [done.one.name, done.two.name]
    assert saved["weights"]["4 points"]["nose"] == shares[:, 0, POINTS.index("nose")].tolist()


def noisy(done: Done, root: Path) -> Path:
    """The second run, with out-of-fold predictions that are noise."""
    path = Path(shutil.copytree(done.two, root / "own-faces" / "noisy"))
    rng = np.random.default_rng(0)
    for file in path.rglob("oof.parquet"):
        table = pd.read_parquet(file)
        for name in table.columns[1 : 1 + 2 * len(POINTS)]:
            table[name] += rng.normal(0, 60, len(table))
        table.to_parquet(file, index=False)
    return path


def test_a_fit_that_gains_is_kept_and_said(done: Done, tmp_path: Path) -> None:
    bad = noisy(done, tmp_path)
    said = ensemble(tmp_path, done.one, bad)
    assert said.code == 0, said
    assert "weights fitted per marking scheme and point: they gain" in said.out
    assert "weighed by a fit on all folds; out of fold, each fold by a fit on the others" in " ".join(said.out.split())
    (path,) = (tmp_path / "own-faces").glob("*-ensemble")
    members = open_run(path).members
    assert members is not None
    assert members.how == "fit"
    assert (members.weights[1] < 0.1).all(where=np.array([[True] * 4, [False, False, True, True]]))
    assert members.each[1].path == "../noisy"
    assert Path(members.each[0].path).is_absolute()


# --- answers ---


def weighed_by_hand(done: Done, root: Path) -> Run:
    """Both runs, with weights of every scheme and point written by hand."""
    run = made(root, done.one, done.two, "--weights", "equal")
    file = run.path / "weights.json"
    table = json.loads(file.read_text())
    share = iter(np.linspace(0.1, 0.9, 8).tolist())
    table["weights"] = {s: {p: [w := next(share), 1 - w] for p in row} for s, row in table["weights"].items()}
    file.write_text(json.dumps(table))
    return run


def test_test_images_get_the_weighted_mean_each_in_its_scheme(done: Done, tmp_path: Path) -> None:
    run, (dataset, scheme) = weighed_by_hand(done, tmp_path), exam(done)
    parts = [last(open_run(path), dataset, scheme) for path in (done.one, done.two)]
    share = np.linspace(0.1, 0.9, 8).reshape(2, 4)[scheme]
    points, spread = (np.stack([getattr(p, name) for p in parts]) for name in ("points", "spread"))
    wanted = share[..., None] * points[0] + (1 - share[..., None]) * points[1]
    mixed = mix(points, spread, np.stack([share, 1 - share]))
    np.testing.assert_allclose(mixed[0], wanted, rtol=0, atol=1e-9)
    close(last(run, dataset, scheme), *mixed)
    said = run_kptool("submit", run.path, "--out", tmp_path / "out", "--json")
    assert said.code == 0, said
    table = json.loads(said.out)
    assert (table["recipe_digest"], table["run"]) == (run.digest, run.path.name)
    assert [part["run"] for part in table["ensemble"]] == [done.one.name, done.two.name]
    assert table["ensemble"][1]["recipe"]["crop"]["width"] == 64
    assert table["ensemble"][0]["weights"]["2 points"]["chin"] == pytest.approx(0.9)
    assert table["ensemble"][0]["recipe_digest"] == open_run(done.one).recipe.digest
    (csv,) = (tmp_path / "out").rglob("*.csv")
    values = [float(line.split(",")[1]) for line in csv.read_text().splitlines()[1:]]
    asked = [wanted[i, k, a] for i in range(TEST) for k in (range(4) if i < 3 else (2, 3)) for a in (0, 1)]
    np.testing.assert_allclose(values, np.clip(asked, 0, SIDE), atol=1e-3)
    assert "predicted with 4 of 4 folds" in said.err


def test_an_ensemble_of_ensembles_has_the_runs_of_both(done: Done, tmp_path: Path) -> None:
    inner = made(tmp_path, done.one, done.two, "--weights", "equal")
    outer = made(tmp_path, inner.path, done.one, "--weights", "equal")
    members = outer.members
    assert members is not None
    assert [member.name for member in members.each] == [done.one.name, done.two.name]
    np.testing.assert_allclose(members.weights[0], 0.75)
    one, two = oof(done.one), oof(done.two)
    np.testing.assert_allclose(oof(outer.path).points, 0.75 * one.points + 0.25 * two.points, rtol=0, atol=1e-9)
    shutil.rmtree(inner.path)
    dataset, scheme = exam(done)
    parts = [last(open_run(path), dataset, scheme) for path in (done.one, done.two)]
    wanted = 0.75 * parts[0].points + 0.25 * parts[1].points
    np.testing.assert_allclose(last(outer, dataset, scheme).points, wanted, rtol=0, atol=1e-9)


def test_own_photos_get_an_answer_of_both(done: Done, tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (70, 50), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "me.png")
    run, found = weighed_by_hand(done, tmp_path), []
    for path in (done.one, done.two, run.path):
        out = tmp_path / f"{path.name}.csv"
        said = run_kptool("predict", path, tmp_path / "me.png", "--box", "5,6,30,40", "--out", out, "--json")
        assert said.code == 0, said
        (face,) = json.loads(said.out)
        found.append(np.array([face["points"][point] for point in POINTS]))
    share = np.linspace(0.1, 0.9, 8)[:4, None]
    np.testing.assert_allclose(found[2], share * found[0] + (1 - share) * found[1], atol=2e-3)


def test_each_run_keeps_its_own_crop_but_for_where_the_face_is(done: Done) -> None:
    photos = Photos(Path(), np.array(["a.png"]), np.array([[50, 70]]))
    schema = open_run(done.one).found.competition.schema_of_points
    dataset = Dataset(np.array(["a"]), photos, np.full((1, 4, 2), np.nan), schema, "d", boxes=np.ones((1, 4)))
    run = open_run(done.two)
    own = crop_of(run, dataset)
    assert (own.width, own.height, own.box) == (64, 60, "image")
    assert crop_like(CropOptions(width=96, box="image", margin=0.3), run, dataset) == own
    boxed = crop_like(CropOptions(width=96, box="file", margin=0.3), run, dataset)
    assert boxed == own.model_copy(update={"box": "file", "margin": 0.0})


# --- what is refused ---


def test_what_is_no_set_of_runs_is_refused_in_one_line(done: Done, tmp_path: Path) -> None:
    def changed(name: str, change: Callable[[Path], object]) -> Path:
        path = Path(shutil.copytree(done.two, tmp_path / name))
        change(path)
        return path

    def env(**table: object) -> Callable[[Path], object]:
        return lambda path: (path / "env.json").write_text(json.dumps(open_run(path).env | table))

    def setting(old: str, new: str) -> Callable[[Path], object]:
        return lambda path: (path / "config.toml").write_text((path / "config.toml").read_text().replace(old, new))

    def half(path: Path) -> None:
        (path / "fold-1" / "oof.parquet").unlink()

    def complete(path: Path) -> None:
        env(data_digest="ff")(path)
        setting('rows = "all"', 'rows = "complete"')(path)

    other = changed("data", env(data_digest="ff" * 32))
    assert "was made of other data" in refused(3, "ensemble", done.one, other, "--runs", tmp_path)
    few = changed("rows", complete)
    told = refused(3, "ensemble", done.one, few, "--runs", tmp_path)
    assert told.startswith(f"{few} predicted complete rows only, {done.one} all rows")
    assert "--set data.rows=all" in told
    cut = changed("cut", half)
    told = refused(3, "ensemble", done.one, cut, "--runs", tmp_path)
    assert "fold 1 of 2 not finished" in told
    assert f"kptool cv --resume {cut} --folds 0,1" in told
    demo = changed("demo", setting(str(done.own.competition), "demo"))
    assert "name runs of one competition" in refused(2, "ensemble", done.one, demo, "--runs", tmp_path)
    assert "it is auto, equal or fit" in refused(2, "ensemble", done.one, "--weights", "best", "--runs", tmp_path)
    assert "is not a run" in refused(2, "ensemble", done.one, tmp_path, "--runs", tmp_path)
    assert "--name" in refused(2, "ensemble", done.one, "--name", "../up", "--runs", tmp_path)
    assert "RUN" in refused(2, "ensemble")
    assert not list(tmp_path.glob("own-faces/*"))


def test_a_run_that_parted_what_another_holds_together_is_refused(done: Done, tmp_path: Path) -> None:
    path = Path(shutil.copytree(done.two, tmp_path / "leaky"))
    table = pq.read_table(path / "folds.parquet")
    group = np.asarray(table["group"]).copy()
    fold = {p: np.asarray(pq.read_table(p / "folds.parquet")["fold"]) for p in (done.one, path)}
    together = np.flatnonzero((fold[path] == 0) & (fold[done.one] == 0))[:1]
    apart = np.flatnonzero((fold[path] == 0) & (fold[done.one] == 1))[:1]
    group[apart] = group[together]  # in one fold of the second run, in two of the first
    place = table.schema.get_field_index("group")
    pq.write_table(table.set_column(place, "group", pa.array(group)), path / "folds.parquet")
    told = refused(4, "ensemble", done.one, path, "--runs", tmp_path)
    assert told.startswith(f"{done.one}: image ")
    assert "belong to one group but to two folds" in told


def test_a_run_that_changed_since_is_refused(done: Done, tmp_path: Path) -> None:
    copies = [Path(shutil.copytree(path, tmp_path / "own-faces" / path.name)) for path in (done.one, done.two)]
    run = made(tmp_path, *copies, "--weights", "equal")
    file = copies[1] / "config.toml"
    before = file.read_text()
    file.write_text(before.replace("epochs = 1", "epochs = 3"))
    photo = tmp_path / "me.png"
    Image.new("L", (40, 30)).save(photo)
    for words in (["submit", run.path, "--out", tmp_path / "out"], ["predict", run.path, photo]):
        told = refused(3, *words)
        assert told == (
            f"{run.path}: its run {copies[1]} has changed since the ensemble was made; "
            "bring it back as it was, or make the ensemble again with kptool ensemble"
        )
    file.write_text(before)
    moved = tmp_path / "moved"
    shutil.move(tmp_path / "own-faces", moved)  # all together: nothing is lost
    dataset, scheme = exam(done)
    last(open_run(moved / run.path.name), dataset, scheme)
    (tmp_path / "best").symlink_to(moved / run.path.name)
    assert [one.path for one in open_members(open_run(tmp_path / "best"))] == [moved / path.name for path in copies]
    shutil.copyfile(moved / copies[0].name / "oof.parquet", moved / copies[1].name / "oof.parquet")
    with pytest.raises(DataError, match="has changed since"):
        last(open_run(moved / run.path.name), dataset, scheme)
    shutil.rmtree(moved / copies[0].name)
    told = refused(3, "submit", moved / run.path.name, "--out", tmp_path / "out")
    assert f"its run {copies[0].name} is no longer at {moved / copies[0].name}" in told
    assert run_kptool("report", moved / run.path.name).code == 0, "a report needs no run but its own"


def test_an_ensemble_is_not_trained(done: Done, tmp_path: Path) -> None:
    run = made(tmp_path, done.one, done.two, "--weights", "equal")
    told = refused(2, "cv", "--resume", run.path)
    assert told == f"{run.path} is an ensemble and has nothing to train; resume one of its runs"


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("weights.json", "0.5", "0.6"),
        ("weights.json", "0.5", "-0.5"),
        ("weights.json", '"chin"', '"chins"'),
        ("weights.json", '"equal"', '"other"'),
        ("weights.json", "{", "["),
        ("members.json", '"name"', '"names"'),
        ("members.json", '"path": "', '"path": 5, "name": "'),
    ],
)
def test_damaged_files_are_told(done: Done, tmp_path: Path, file: str, old: str, new: str) -> None:
    joined = join([open_run(done.one), open_run(done.two)])
    run = make(tmp_path, joined, weigh(joined, "equal"))
    path = run.path / file
    path.write_text(path.read_text().replace(old, new))
    told = refused(3, "report", run.path)
    assert "weights.json" in told
    assert "make the ensemble again" in told
