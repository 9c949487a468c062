"""Law: photos go through cv, report and submit and come back in their own pixels; what cannot be used is told."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from in_process import RUN_FOLDS, one_epoch
from numpy.testing import assert_allclose
from photo_competition import (
    HEIGHT,
    POINTS,
    WIDTH,
    Own,
    Picture,
    Spots,
    Trained,
    frame_px,
    trained,
    truth,
    write_xml,
)
from PIL import Image
from test_cli import refused, run_kptool

from kptool.competitions import find, read_recipe
from kptool.dataset import Predictions
from kptool.engine.of_points import frames_of, make_task
from kptool.formats import dlib
from kptool.geometry import Floats
from kptool.intake import read_test, take_in
from kptool.predict import predict_folds
from kptool.predictions import read_predictions
from kptool.runs import open_run
from kptool.tasks import keypoints

NEAR = 0.05  # px of the model's frame


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return trained(tmp_path_factory.getbasetemp())


@pytest.fixture
def spots(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose network finds the spots; all else stays what it is."""
    monkeypatch.setattr(keypoints, "build", Spots)


def near(found: Floats, pictures: tuple[Picture, ...]) -> None:
    """Points (faces, 4, 2) in photo px are the truth, within NEAR of the frame scaled to each photo."""
    off = np.abs(found - truth(pictures)).max(-1) / frame_px(pictures)
    assert off.max() < NEAR, off.round(3)


# --- one run ---


def test_the_report_is_of_faces_in_photos(done: Trained) -> None:
    assert [(p["name"], p["labelled"]) for p in done.report["points"]] == [(p, 21) for p in POINTS]
    assert sum(fold["images"] for fold in done.report["folds"]) == 21
    said = run_kptool("report", done.run, "--json")
    assert json.loads(said.out) == done.report
    assert "inter-ocular" in run_kptool("report", done.run).out


def test_spots_come_back_through_training_data(done: Trained, tmp_path: Path) -> None:
    run = open_run(done.run)
    data = take_in(run.found, run.recipe, done.own.data)
    task = make_task(frames_of(data.dataset, run.recipe), data.dataset.schema, data.scheme, 1, run.recipe, "cpu")
    assert data.dataset.schema.mirror == (1, 0, 2, 3)
    task.write_predictions(Spots(), np.arange(len(data.dataset)), tmp_path / "oof.parquet")  # mirrored and shifted
    near(read_predictions(tmp_path / "oof.parquet", data.dataset.schema).points, done.own.train)


@pytest.mark.usefixtures("spots")
def test_spots_come_back_in_every_form(done: Trained, tmp_path: Path) -> None:
    forms = ["long", "wide", "dlib", "coco", "lookup"]
    said = run_kptool("submit", done.run, "--out", tmp_path, "--json", *(w for f in forms for w in ("--form", f)))
    assert said.code == 0, said
    told = json.loads(said.out)
    files = {one["form"]: tmp_path / "own-photos" / one["file"] for one in told}
    assert set(files) == set(forms)
    for form in ("long", "lookup"):
        header, *rows = files[form].read_text().splitlines()
        assert header == "Id,Predicted"
        assert [row.split(",")[0] for row in rows] == [str(n) for n in range(9 * 4 * 2)]
        near(np.array([float(row.split(",")[1]) for row in rows]).reshape(9, 4, 2), done.own.test)
    with files["wide"].open(encoding="utf-8", newline="") as file:
        header, *cells = csv.reader(file)
    assert header == ["image", *(f"{p}_{axis}" for p in POINTS for axis in "xy")]
    assert [row[0] for row in cells] == [p.name for p in done.own.test for _ in p.faces]
    near(np.array([row[1:] for row in cells], dtype=np.float64).reshape(9, 4, 2), done.own.test)
    results = json.loads(files["coco"].read_text())
    near(np.array([r["keypoints"] for r in results]).reshape(9, 4, 3)[..., :2], done.own.test)
    whole = dlib.read(files["dlib"])
    order = [whole.names.index(point) for point in POINTS]
    assert_allclose(whole.points[:, order], truth(done.own.test), atol=0.51)


def test_a_photo_alone_is_answered_as_among_others(done: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    run = open_run(done.run)
    test = read_test(run.found, done.own.data).dataset
    # A network's float32 sums depend on the batch's size; all around it must not.
    for atol in (2e-5, 1e-9):
        every = last(run, test)
        for row in (0, 1, 5):
            alone = last(run, test.take([row]))
            assert_allclose(alone.points[0], every.points[row], rtol=0, atol=atol)
            assert alone.ids[0] == every.ids[row]
        monkeypatch.setattr(keypoints, "build", Spots)


def last(run: Any, dataset: Any) -> Predictions:
    *_, step = predict_folds(run, dataset, np.zeros(len(dataset), dtype=np.int64), 1)
    return step.predictions


# --- cut off and resumed ---


def test_resumed_equals_uninterrupted(done: Trained, tmp_path: Path) -> None:
    cut = Path(shutil.copytree(done.run, tmp_path / "own-photos" / done.run.name))
    shutil.rmtree(cut / "fold-1")
    (cut / "oof.parquet").unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RUN_FOLDS, one_epoch)
        assert run_kptool("cv", "--resume", cut, "--json").code == 0
    assert not (cut / "fold-1" / "oof.parquet").exists()
    said = run_kptool("cv", "--resume", cut, "--json")
    assert said.code == 0, said
    for name in ("fold-1/oof.parquet", "oof.parquet"):
        assert (cut / name).read_bytes() == (done.run / name).read_bytes()
    assert json.loads(said.out)["metrics"] == done.report["metrics"]


def test_a_changed_picture_is_refused_on_resume(done: Trained, tmp_path: Path) -> None:
    cut = Path(shutil.copytree(done.run, tmp_path / "own-photos" / done.run.name))
    (cut / "fold-1" / "oof.parquet").unlink()
    data = Path(shutil.copytree(done.own.data, tmp_path / "data"))
    picture = data / done.own.train[7].name
    picture.write_bytes(picture.read_bytes() + b"\0")
    assert "folds" in refused(3, "cv", "--resume", cut, "--data", data)
    assert not (cut / "fold-1" / "oof.parquet").exists()


# --- bad input ---


def lines(data: Path, part: str) -> str:
    return (data / f"{part}.xml").read_text(encoding="utf-8")


def change(data: Path, part: str, old: str, new: str) -> None:
    text = lines(data, part)
    assert old in text
    (data / f"{part}.xml").write_text(text.replace(old, new, 1), encoding="utf-8")


def damage(data: Path, part: str, pictures: tuple[Picture, ...]) -> dict[str, str]:
    """Damage a part of a copy of the data in every way that a picture can be; name -> a word of the reason."""
    gone, cut, tiny, outside, text = (pictures[n].name for n in (2, 1, 5, 6, 7))
    (data / gone).unlink()
    (data / cut).write_bytes((data / cut).read_bytes()[:2500])
    Image.new("RGB", (1, 1)).save(data / tiny)
    box = pictures[6].faces[0].box
    change(
        data, part, f"<image file='{outside}'>\n<box top='{box[1]:.0f}'", f"<image file='{outside}'>\n<box top='9000'"
    )
    (data / text).write_text("no picture")
    return {gone: "no such picture", cut: "cannot be decoded", tiny: "outside", outside: "outside", text: "picture"}


@pytest.fixture
def copy(done: Trained, tmp_path: Path) -> Path:
    return Path(shutil.copytree(done.own.data, tmp_path / "data"))


def test_cv_refuses_or_lists_bad_pictures(done: Trained, copy: Path, tmp_path: Path) -> None:
    bad = damage(copy, "train", done.own.train)
    words = ["cv", done.own.competition, "--data", copy, "--runs", tmp_path / "runs"]
    told = refused(3, *words)
    assert "(and 4 more)" in told
    assert "--on-bad skip" in told
    assert not (tmp_path / "runs").exists()
    said = run_kptool(*words, "--on-bad", "skip", "--epochs", 1, "--json")
    assert said.code == 0, said
    listed = [line for line in said.err.splitlines() if "left out: " in line]
    assert len(listed) == len(bad)
    for name, why in bad.items():
        assert [line for line in listed if name in line and why in line], name
    assert sum(fold["images"] for fold in json.loads(said.out)["folds"]) == 21 - len(bad)


def test_submit_refuses_or_answers_bad_pictures_by_the_mean_shape(done: Trained, copy: Path, tmp_path: Path) -> None:
    bad = damage(copy, "test", done.own.test)
    words = ["submit", done.run, "--data", copy, "--out", tmp_path / "out"]
    told = refused(3, *words)
    assert "5 of 9 faces" in told
    said = run_kptool(*words, "--on-bad", "skip")
    assert said.code == 0, said
    for name, why in bad.items():
        assert [line for line in said.out.splitlines() if name in line and why in line], name
    (path,) = (tmp_path / "out" / "own-photos").glob("*.csv")
    rows = path.read_text().splitlines()[1:]
    assert len(rows) == 9 * 4 * 2
    assert np.isfinite([float(row.split(",")[1]) for row in rows]).all()
    beside = json.loads(path.with_suffix(".json").read_text())
    assert {guess["image"] for guess in beside["mean_shape"]} == set(bad)


def test_a_test_set_without_boxes_is_not_answered_by_a_run_that_knows_boxes(
    done: Trained, copy: Path, tmp_path: Path
) -> None:
    text = lines(copy, "test")
    bare = re.sub(r"<box.*?</box>|<box[^>]*/>", "", text, flags=re.S)
    assert bare != text
    (copy / "test.xml").write_text(bare, encoding="utf-8")
    for more in ([], ["--on-bad", "skip"]):
        told = refused(2, "submit", done.run, "--data", copy, "--out", tmp_path / "out", *more)
        assert "none of 8 images has a box" in told
    assert not list((tmp_path / "out").rglob("*.csv"))


def test_a_wrong_word_is_refused_before_a_picture_is_opened(
    done: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kptool.cli.answer.find_bad", None)
    words = ["submit", done.run, "--out", tmp_path / "out", "--on-bad", "ignore"]
    assert refused(2, *words) == "--on-bad ignore; it is fail or skip"


def bomb(data: Path, part: str) -> None:
    body = lines(data, part).partition("?>")[2]
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "ha"}">' for n in range(9))
    (data / f"{part}.xml").write_text(f"<?xml version='1.0'?><!DOCTYPE dataset [{entities}]>{body}", encoding="utf-8")


def upwards(data: Path, part: str) -> None:
    change(data, part, f"file='{part}/", "file='../../etc/")


def flat(data: Path, part: str) -> None:
    change(data, part, "width='", "width='0' was='")


def half(data: Path, part: str) -> None:
    (data / f"{part}.xml").write_text(lines(data, part)[:700], encoding="utf-8")


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("harm", [bomb, upwards, flat, half])
def test_annotations_that_cannot_be_trusted_stop_even_under_skip(
    harm: Callable[[Path, str], None], part: str, done: Trained, copy: Path, tmp_path: Path
) -> None:
    harm(copy, part)
    if part == "train":
        words = ["cv", done.own.competition, "--data", copy, "--runs", tmp_path / "runs", "--on-bad", "skip"]
    else:
        words = ["submit", done.run, "--data", copy, "--out", tmp_path / "out", "--on-bad", "skip"]
    assert f"{part}.xml:" in refused(3, *words)
    assert not (tmp_path / "runs").exists()


# --- folds ---


def folds_of(competition: Path, data: Path) -> tuple[list[str], Any]:
    found = find(str(competition))
    taken = take_in(found, read_recipe(found), data)
    return [str(name) for name in taken.dataset.ids], taken.folds


def test_faces_of_one_picture_never_part(done: Trained) -> None:
    ids, folds = folds_of(done.own.competition, done.own.data)
    assert ids[:2] == ["train/two of us.png#0", "train/two of us.png#1"]
    assert folds.group[0] == folds.group[1]
    assert folds.fold[0] == folds.fold[1]
    assert len(np.unique(folds.group)) == 20


def test_a_person_stays_whole(done: Trained, tmp_path: Path) -> None:
    competition = Path(shutil.copytree(done.own.competition, tmp_path / "own"))
    file = competition / "competition.toml"
    file.write_text(file.read_text() + "person = '([a-z0-9 ]+?)[0-9]?[^0-9a-z]*[.]'\n")  # p00 to p09 are one
    ids, folds = folds_of(competition, done.own.data)
    person = [n for n, name in enumerate(ids) if name.startswith("train/p0")]
    assert len(person) == 10
    assert len(set(folds.fold[person])) == 1


def test_one_photo_at_two_sizes_stays_whole(done: Trained, copy: Path) -> None:
    own, first = done.own, done.own.train[8]
    image = Image.open(copy / first.name)
    half_size = image.width // 2, image.height // 2
    image.resize(half_size, Image.Resampling.BOX).save(copy / "train" / "half.jpg", quality=85)
    half_faces = tuple(type(f)(np.round(f.box / 2), np.round(f.points / 2)) for f in first.faces)
    again = Picture("train/half.jpg", half_size, 1, half_faces)
    write_xml(copy / "train.xml", [*own.train, again])
    ids, folds = folds_of(own.competition, copy)
    pair = ids.index(first.name), ids.index("train/half.jpg")
    assert folds.group[pair[0]] == folds.group[pair[1]]
    assert len(np.unique(folds.group)) == 20


# --- memory ---

LARGE = """
import re, sys
from pathlib import Path
import numpy as np
from kptool.config import CropOptions
from kptool.dataset import Dataset, Photos
from kptool.pixels import prepare
from kptool.schema import make_schema

def peak():  # MiB; getrusage would count what the parent process had in memory when it forked
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024

before = peak()
folder, names = Path(sys.argv[1]), np.array(["large.jpg"] * 4)
photos = Photos(folder, names, np.full((4, 2), 10_000))
boxes = np.array([[400.0 * n, 4000.0, 40.0, 30.0] for n in range(4)])  # too small for a JPEG's own reduction
schema = make_schema("large", ["nose"])
dataset = Dataset(np.array(list("abcd")), photos, np.full((4, 1, 2), np.nan), schema, "large", boxes=boxes)
assert prepare(dataset, CropOptions(width=72, height=60), 3).faults == []
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="read from Linux's /proc")
def test_faces_in_a_photo_of_100_megapixels_need_bounded_memory(tmp_path: Path) -> None:
    Image.new("RGB", (10_000, 10_000), "grey").save(tmp_path / "large.jpg")
    words = [sys.executable, "-c", LARGE, str(tmp_path)]
    said = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert said.returncode == 0, said.stderr
    # One such picture is in memory at a time: 991 MiB were measured. Four decoded at once would need 2700.
    assert 400 < float(said.stdout) < 1200


# --- real photos ---


def test_the_frames_of_300_w_hold_the_faces() -> None:
    folder = os.environ.get("KPTOOL_DATA_IBUG")
    if not folder:
        pytest.skip("KPTOOL_DATA_IBUG names no folder")
    found = find("ibug-300w")
    test = read_test(found, Path(folder)).dataset.take(np.arange(0, 554, 40))
    recipe = read_recipe(found)
    task = make_task(frames_of(test, recipe), test.schema, np.zeros(len(test), dtype=np.int64), 1, recipe, "cpu")
    frames = task.arrays.images  # type: ignore[attr-defined]
    assert frames.shape == (14, 1, 156, 156)
    assert (frames.reshape(14, -1).std(1) > 10).all()


def test_size_of_the_frame(done: Trained) -> None:
    assert open_run(done.run).env["size"] == [WIDTH, HEIGHT]


def test_a_recipe_without_a_frame_is_told(own_words: list[object], tmp_path: Path) -> None:
    told = refused(2, *own_words, "--runs", tmp_path / "runs", "--set", "crop.width=0")
    assert "crop.width" in told
    assert not (tmp_path / "runs").exists()


@pytest.fixture
def own_words(done: Trained) -> list[object]:
    own: Own = done.own
    return ["cv", own.competition, "--data", own.data]
