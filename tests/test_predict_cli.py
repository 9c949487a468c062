"""Law: `kptool predict` finds points in photos of one's own, in their own px, or says in one line why it cannot."""

from __future__ import annotations

import csv
import json
import shutil
import urllib.request
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from own_competition import Own as Plain
from own_competition import write_own
from photo_competition import POINTS, Picture, Spots, Trained, frame_px, trained, truth
from PIL import Image
from test_cli import Said, refused, run_kptool

from kptool.annotations import Annotations
from kptool.drawing import save_jpeg
from kptool.formats import table
from kptool.geometry import Bytes, Floats
from kptool.photos import decode
from kptool.tasks import keypoints


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return trained(tmp_path_factory.getbasetemp())


@pytest.fixture
def here(done: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of one's own, the test pictures in `my photos`; and a network that finds the spots."""
    monkeypatch.setattr(keypoints, "build", Spots)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(done.own.data / "test", tmp_path / "my photos")
    shutil.copy(done.own.data / "test.xml", tmp_path / "labels.xml")
    return tmp_path


def predict(done: Trained, *words: object) -> Said:
    said = run_kptool("predict", done.run, *words)
    assert said.code == 0, said
    return said


def one(done: Trained, name: str) -> Picture:
    return next(picture for picture in done.own.test if picture.name == f"test/{name}")


def box(picture: Picture) -> str:
    return ",".join(f"{v:.0f}" for v in picture.faces[0].box)


def near(found: Floats, pictures: list[Picture]) -> None:
    """Points (faces, 4, 2) are the truth, within 0.05 px of the frame scaled to each photo."""
    off = np.abs(found - truth(pictures)).max(-1) / frame_px(pictures)
    assert off.max() < 0.05, off.round(3)


def answers(said: Said) -> dict[str, Floats]:
    """Points by id of what --json printed, read as strictly as JSON is."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    rows = json.loads(said.out, parse_constant=refuse)
    assert all(list(row["points"]) == list(POINTS) for row in rows)
    return {row["id"]: np.array(list(row["points"].values())) for row in rows}


# --- where the faces are ---


@pytest.mark.parametrize("name", ["q1.png", "turned right é.jpg", "upside down.png", "mirrored.png"])
def test_a_box_is_enough(name: str, done: Trained, here: Path) -> None:
    picture = one(done, name)
    said = predict(done, f"my photos/{name}", "--box", box(picture), "--json")
    ((told, points),) = answers(said).items()
    assert told == name
    near(points[None], [picture])
    assert (here / "predictions.csv").is_file()
    assert "note: no box" not in said.err


def test_boxes_of_an_annotation_file_and_two_faces_in_one_picture(done: Trained, here: Path) -> None:
    # The file names pictures as test/...; here they stand in another folder, and fit by the end of their names.
    Path("test").symlink_to(here / "my photos", target_is_directory=True)
    found = answers(predict(done, "test", "--boxes", "labels.xml", "--json"))
    assert len(found) == 9
    assert {"two of us.png#0", "two of us.png#1"} < set(found)
    order = [f"{p.name.removeprefix('test/')}{f'#{n}' if len(p.faces) > 1 else ''}"
             for p in done.own.test for n in range(len(p.faces))]  # fmt: skip
    near(np.array([found[name] for name in order]), list(done.own.test))


def test_boxes_of_a_csv_fit_by_the_end_of_the_name(done: Trained, here: Path) -> None:
    (here / "elsewhere").mkdir()
    names = ["q1.png", "two of us.png", "turned right é.jpg"]
    rows = [[f"my photos/{n}", *f.box.astype(int)] for n in names for f in one(done, n).faces]
    with Path("elsewhere/boxes.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["image", "x", "y", "w", "h"], *rows])
    pictures = [f"my photos/{n}" for n in names]
    found = answers(predict(done, *pictures, "--boxes", "elsewhere/boxes.csv", "--json"))
    assert list(found) == ["q1.png", "two of us.png#0", "two of us.png#1", "turned right é.jpg"]
    near(np.array(list(found.values())), [one(done, n) for n in names])
    words = ["predict", done.run, "my photos", "--boxes", "elsewhere/boxes.csv", "--force"]
    assert "no box for" in refused(3, *words)
    said = run_kptool(*words, "--on-bad", "skip")
    assert said.code == 0
    assert said.out.count("skipped: ") == 8 - len(names)


class Finder:
    """A detector that knows the test pictures by their size as it is shown them, and answers as YuNet does."""

    def __init__(self, pictures: tuple[Picture, ...], longest: int) -> None:
        self.boxes: dict[tuple[int, int], tuple[Floats, float]] = {}
        for picture in pictures:
            shrink = min(1.0, longest / max(picture.size))
            small = round(picture.size[0] * shrink), round(picture.size[1] * shrink)
            self.boxes[small] = np.array([f.box for f in picture.faces]), shrink

    def create(self, *_: object) -> Finder:
        return self

    def setInputSize(self, size: tuple[int, int]) -> None:
        self.size = size

    def detect(self, picture: Bytes) -> tuple[int, Any]:
        assert picture.shape[2] == 3
        if picture.shape[1::-1] not in self.boxes:
            return 0, None
        boxes, shrink = self.boxes[self.size]
        rows = np.zeros((len(boxes), 15), dtype=np.float32)
        rows[:, :4], rows[:, 14] = boxes * shrink, np.linspace(0.9, 0.8, len(boxes))
        return 1, rows


@pytest.mark.parametrize("longest", [1280, 150])
def test_a_detector_finds_the_faces(longest: int, done: Trained, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kptool.detector.LONGEST", longest)
    monkeypatch.setattr(cv2, "FaceDetectorYN", Finder(done.own.test, longest))
    (here / "yunet.onnx").write_bytes(b"network")
    Image.new("RGB", (43, 57)).save(here / "my photos" / "wall.png")
    said = predict(done, "my photos", "--detector", "yunet.onnx", "--json")
    found = answers(said)
    assert len(found) == 9
    assert "note: no face found in wall.png; it is left out" in said.err
    for picture in done.own.test:
        name = picture.name.removeprefix("test/")
        points = [found[f"{name}#{n}" if len(picture.faces) > 1 else name] for n in range(len(picture.faces))]
        assert (np.abs(points - truth([picture])).max(-1) / frame_px([picture])).max() < 0.15  # boxes move a little
    assert "no face in 1 picture" in refused(
        3, "predict", done.run, "my photos/wall.png", "--detector", "yunet.onnx", "--force"
    )


def test_a_file_that_is_no_detector_is_one_line(done: Trained, here: Path) -> None:
    (here / "no.onnx").write_bytes(b"no network" * 40)
    words = ["predict", done.run, "my photos/q1.png", "--detector"]
    assert "not a YuNet network" in refused(2, *words, "no.onnx")
    assert "none.onnx: no such file" in refused(2, *words, "none.onnx")


@pytest.mark.usefixtures("here")
def test_without_a_network_fetching_is_one_line(done: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def urlopen(*_: object, **__: object) -> None:
        raise OSError("no route")

    monkeypatch.setenv("KPTOOL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    assert "cannot be fetched" in refused(1, "predict", done.run, "my photos/q1.png", "--fetch-detector")


@pytest.mark.usefixtures("here")
def test_no_box_and_no_detector_takes_the_whole_picture_and_says_so(done: Trained) -> None:
    picture = one(done, "q2.png")
    said = predict(done, "my photos/q2.png", "--json")
    assert "note: no box and no detector, so each whole picture is taken for the face" in said.err
    (row,) = json.loads(said.out)
    assert row["box"] == [0, 0, *picture.size]
    whole = predict(done, "my photos/q2.png", "--box", f"0,0,{picture.size[0]},{picture.size[1]}", "--json", "--force")
    assert np.abs(answers(said)["q2.png"] - answers(whole)["q2.png"]).max() < 1.5, "the margin is all that differs"


# --- what is written ---


@pytest.mark.parametrize(
    ("out", "to", "atol", "seen"),
    [
        ("a.csv", None, 1e-9, "my photos/"),
        ("a.json", None, 1e-9, "my photos/"),
        ("b/a.xml", None, 0.5, ""),
        ("long.csv", "csv-long", 1e-9, "my photos/"),
        ("my photos", "pts", 1e-3, ""),
        ("my photos/a.txt", "coco", 1e-9, ""),
    ],
)
def test_every_form_says_the_same(out: str, to: str | None, atol: float, seen: str, done: Trained, here: Path) -> None:
    words = ["my photos/q1.png", "my photos/q3.png", "--box", "10,10,120,100", "--force"]
    said = predict(done, *words, "--out", out, "--json", *(["--to", to] if to else []))
    name = to or table.ENDINGS[Path(out).suffix]
    back: Annotations = table.get(name).read(here / out)
    assert sorted(back.files.tolist()) == [f"{seen}q1.png", f"{seen}q3.png"], "as seen from where it is written"
    assert ("names are relative to" in said.err) == (out == "b/a.xml"), "or told"
    told = back.points if name == "pts" else back.points[:, [back.names.index(p) for p in POINTS]]
    wanted = answers(said)
    order = [list(wanted).index(Path(str(file)).name) for file in back.files]
    assert_allclose(told, np.array(list(wanted.values()))[order], rtol=0, atol=atol + 6e-4)


@pytest.mark.parametrize(
    ("to", "name"), [("coco", "predictions.json"), ("dlib", "predictions.xml"), ("csv-long", "predictions.csv")]
)
def test_the_file_is_called_as_its_form_has_it(to: str, name: str, done: Trained, here: Path) -> None:
    said = predict(done, "my photos/q1.png", "--to", to)
    assert f"{name} ({to}): 1 face in 1 picture, 4 points each" in said.out
    assert (here / name).is_file()
    assert "edges" not in said.out, "what was never the user's is not lost"


@pytest.mark.usefixtures("here")
def test_a_name_that_a_form_cannot_hold_is_told(done: Trained) -> None:
    told = refused(3, "predict", done.run, "my photos/q1.png", "--to", "wflw")
    assert "cannot hold the name 'my photos/q1.png'" in told
    assert not Path("predictions.txt").exists()


@pytest.mark.usefixtures("here")
def test_what_stands_there_is_not_written_over(done: Trained) -> None:
    words = ["my photos/q1.png", "--box", "10,10,120,100", "--draw", "drawn"]
    predict(done, *words)
    before = Path("predictions.csv").read_bytes()
    assert "predictions.csv: exists already" in refused(2, "predict", done.run, *words)
    assert "exists already" in refused(2, "predict", done.run, *words, "--out", "other.csv")
    assert not Path("other.csv").exists()
    predict(done, *words, "--force")
    assert Path("predictions.csv").read_bytes() == before


@pytest.mark.usefixtures("here")
def test_a_picture_is_never_drawn_or_written_over(done: Trained) -> None:
    picture = Path("my photos/turned right é.jpg")
    before = picture.read_bytes()
    words = ["predict", done.run, picture, "--force"]
    assert "would write over the picture" in refused(2, *words, "--draw", "my photos")
    assert "is one of the pictures" in refused(2, *words, "--out", picture, "--to", "csv")
    assert picture.read_bytes() == before


@pytest.mark.parametrize("name", ["q1.png", "turned right é.jpg"])
def test_drawings_change_pixels_near_points_and_nowhere_else(name: str, done: Trained, here: Path) -> None:
    picture = one(done, name)
    said = predict(done, f"my photos/{name}", "--box", box(picture), "--draw", "drawn", "--json")
    drawn = next((here / "drawn").iterdir())
    assert drawn.name == (name if name.endswith("jpg") else f"{name}.jpg")
    save_jpeg(decode(here / "my photos" / name, 3).pixels, here / "plain.jpg")
    after, before = (decode(file, 3).pixels.astype(np.int64) for file in (drawn, here / "plain.jpg"))
    assert (after.shape[1], after.shape[0]) == picture.size, "upright"
    across, down = picture.size
    far = np.ones((down, across), dtype=np.bool_)
    left, top, width, height = picture.faces[0].box
    points = answers(said)[name]
    y, x = np.mgrid[:down, :across]
    for a, b in [*((p, p) for p in points), (points[0], points[2]), (points[1], points[2])]:
        for t in np.linspace(0, 1, 40):
            far &= np.hypot(x - a[0] - t * (b - a)[0], y - a[1] - t * (b - a)[1]) > 24  # a JPEG's block and a dot
    far &= (np.abs(x - left) > 20) & (np.abs(x - left - width) > 20)
    far &= (np.abs(y - top) > 20) & (np.abs(y - top - height) > 20)
    assert far.any()
    assert_array_equal(after[far], before[far])
    for px, py in np.round(points).astype(int):
        assert after[py, px, 1] - after[py, px, 0] > 40, "bluish green"


@pytest.mark.usefixtures("here")
def test_a_picture_named_twice_is_answered_once(done: Trained) -> None:
    said = predict(done, "my photos/q1.png", "./my photos/../my photos/q1.png", "my photos", "--json")
    assert len(answers(said)) == 8
    assert next(iter(answers(said))) == "q1.png"


# --- what cannot be used ---


def test_bad_pictures_stop_it_or_are_listed(done: Trained, here: Path) -> None:
    folder = here / "my photos"
    (folder / "cut.png").write_bytes((folder / "q1.png").read_bytes()[:3000])
    (folder / "text.jpg").write_text("no picture")
    Image.new("RGB", (1, 1)).save(folder / "tiny.png")
    bad = ["cut.png", "text.jpg", "tiny.png", "none.png"]
    words = ["predict", done.run, "my photos", "my photos/none.png", "--box", "20,20,100,100"]
    for name in bad:
        assert name in refused(3, *words[:2], f"my photos/{name}", *words[4:])
    assert not Path("predictions.csv").exists()
    said = run_kptool(*words, "--on-bad", "skip")
    assert said.code == 0, said
    skipped = [line for line in said.out.splitlines() if line.startswith("skipped: ")]
    assert len(skipped) == len(bad)
    assert all(any(name in line for line in skipped) for name in bad)
    assert "8 faces in 8 pictures, 4 points each" in said.out
    assert "no picture is left" in refused(3, *words[:2], "my photos/none.png", "--on-bad", "skip", "--force")


def test_a_box_wholly_outside_is_refused(done: Trained, here: Path) -> None:
    words = ["predict", done.run, "my photos/q1.png", "--box"]
    assert "wholly outside" in refused(3, *words, "9000,10,50,50")
    assert not (here / "predictions.csv").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--box 1,2,3", "left,top,width,height"),
        ("--box 1,2,0,4", "left,top,width,height"),
        ("--box 1,2,nan,4", "left,top,width,height"),
        ("--box 1,2,3,4 --boxes labels.xml", "--box and --boxes do not go together"),
        ("--detector a.onnx --fetch-detector", "--detector and --fetch-detector do not go together"),
        ("--on-bad ignore", "fail or skip"),
        ("--out a.doc", "its ending names no format"),
        ("--to images", "bare pictures hold no points"),
        ("--to cocoa", "did you mean 'coco'"),
        ("--out my\xa0photos", "its ending names no format"),
        ("--draw labels.xml", "is a file"),
        ("--out labels.xml", "exists already"),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_wrong_word_is_answered_in_one_line(words: str, told: str, done: Trained) -> None:
    assert told in refused(2, "predict", done.run, "my photos/q1.png", *words.split(" "))
    assert not Path("predictions.csv").exists()


def test_a_run_without_a_finished_fold_is_told(done: Trained, tmp_path: Path) -> None:
    cut = Path(shutil.copytree(done.run, tmp_path / "run"))
    for fold in (0, 1):
        (cut / f"fold-{fold}" / "oof.parquet").unlink()
    assert "no fold is finished" in refused(2, "predict", cut, done.own.data / "test")


@pytest.mark.usefixtures("here")
def test_a_point_that_is_no_number_is_told(done: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Spots, "_one", lambda _, image: image.new_full((4, 2), float("nan")))
    assert "q1.png: left_eye is not a finite number" in refused(5, "predict", done.run, "my photos/q1.png")
    assert not Path("predictions.csv").exists()


# --- kinds of pictures, through a real network ---


def test_every_kind_of_picture_is_read_right(done: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    picture = one(done, "q1.png")
    rgb = Image.open(done.own.data / picture.name).convert("RGB")
    grey = rgb.convert("L")
    kinds: dict[str, Image.Image] = {
        "rgb.png": rgb, "rgb.bmp": rgb, "rgb.tif": rgb, "rgb.webp": rgb, "cmyk.tif": rgb.convert("CMYK"),
        "alpha.png": rgb.convert("RGBA"), "palette.png": rgb.quantize(256), "grey.png": grey,
        "deep.png": Image.fromarray(np.asarray(grey).astype(np.uint16) * 257),
    }  # fmt: skip
    for name, image in kinds.items():
        image.save(name, lossless=True)  # of WebP
    found = answers(predict(done, *kinds, "--box", box(picture), "--json"))
    for name in ("rgb.bmp", "rgb.tif", "rgb.webp", "alpha.png", "cmyk.tif"):
        assert_allclose(found[name], found["rgb.png"], atol=0.3 if name == "cmyk.tif" else 2e-3, err_msg=name)
    assert_allclose(found["palette.png"], found["rgb.png"], atol=2)
    assert_allclose(found["deep.png"], found["grey.png"], atol=2e-3)


# --- a run of plain arrays ---


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("plain")
    own: Plain = write_own(base)
    words = ["cv", own.competition, "--data", own.data, "--runs", base / "runs", "--epochs", 1, "--folds", 0]
    said = run_kptool(*words)
    assert said.code == 0, said
    (run,) = (base / "runs" / "own-faces").iterdir()
    return run


def test_a_run_of_plain_images_answers_photos_of_any_size(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (96, 96, 3), dtype=np.uint8)
    Image.fromarray(small).save("small.png")
    wide = np.full((150, 300, 3), 77, dtype=np.uint8)
    wide[20:116, 101:197] = small
    Image.fromarray(wide).save("wide.png")
    said = run_kptool("predict", plain, "small.png", "--json")
    assert said.code == 0, said
    assert "note: this run was trained on whole pictures, and sees yours whole" in said.err
    boxed = run_kptool("predict", plain, "wide.png", "--box", "101,20,96,96", "--json", "--force")
    assert "so each box is taken for one, without a margin" in boxed.err
    one, other = (np.array(list(json.loads(s.out)[0]["points"].values())) for s in (said, boxed))
    assert_allclose(other - one, np.broadcast_to([101, 20], one.shape), atol=3e-3)
