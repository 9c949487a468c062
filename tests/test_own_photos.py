"""Law: every picture that is named is taken once, and its boxes are those that are meant for it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from kptool.dataset import Photos
from kptool.errors import UsageError
from kptool.own_photos import by_detector, by_file, collect, to_dataset, whole
from kptool.schema import make_schema

pytestmark = pytest.mark.usefixtures("folder")
SCHEMA = make_schema("own", ["left", "right", "nose"], [("left", "right")])
W, H = 13, 9
BOX, OTHER = (1.0, 2.0, 3.0, 4.0), (5.0, 6.0, 7.0, 8.0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four pictures in two folders, one of them with letters and blanks of its own, and a text."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "below" / "deep").mkdir(parents=True)
    for n, name in enumerate(["b.png", "a é.JPG", "below/a.png", "below/deep/c.png"]):
        Image.new("RGB", (W + n, H)).save(name)
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def names(photos: Photos) -> list[str]:
    return [str(name) for name in photos.files]


def test_a_folder_is_searched_to_the_bottom_in_order(folder: Path) -> None:
    photos, faults = collect([folder])
    assert names(photos) == ["a é.JPG", "b.png", "below/a.png", "below/deep/c.png"]
    assert photos.root == folder
    assert_array_equal(photos.sizes[:, 0], [W + 1, W, W + 2, W + 3])
    assert faults == []


def test_a_picture_is_taken_once_however_it_is_called(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "below")
    ways = [Path("a.png"), Path("./a.png"), Path("../below/a.png"), folder / "below" / "a.png", Path("deep/../a.png")]
    photos, faults = collect([*ways, Path("../b.png"), folder / "below"])
    assert names(photos) == ["below/a.png", "b.png", "below/deep/c.png"]
    assert photos.root == folder
    assert faults == []


def test_a_picture_above_the_working_folder_is_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "below" / "deep")
    photos, faults = collect([Path("../../b.png"), Path("c.png"), Path("../a.png")])
    assert names(photos) == ["b.png", "below/deep/c.png", "below/a.png"]
    assert faults == []


def test_what_cannot_be_opened_is_told() -> None:
    photos, faults = collect([Path("none.png"), Path("b.png"), Path("notes.txt")])
    assert names(photos) == ["b.png"]
    assert [row for row, _ in faults] == [0, 2]
    assert "none.png" in faults[0][1]
    assert "notes.txt" in faults[1][1]


def test_a_folder_without_pictures_is_refused(folder: Path) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(UsageError, match="empty: no pictures"):
        collect([Path("b.png"), Path("empty")])


# --- boxes of a file ---


def test_a_name_leads_from_the_files_folder(folder: Path) -> None:
    photos, _ = collect([folder])
    given = {"b.png": [BOX, OTHER], "below/a.png": [OTHER], "a é.JPG": [BOX], "below/deep/c.png": [BOX]}
    boxes, faults = by_file(photos, given, Path("boxes.csv"))
    assert faults == []
    assert_array_equal(boxes[1], [BOX, OTHER])
    assert_array_equal(boxes[2], [OTHER])


def test_a_name_fits_by_its_end_the_longest_first() -> None:
    photos, _ = collect([Path("below/deep/c.png"), Path("below/a.png")])
    given = {"c.png": [BOX], "deep/c.png": [OTHER], "eep/c.png": [BOX], "other/deep/c.png": [BOX], "a.png": [BOX]}
    boxes, faults = by_file(photos, given, Path("elsewhere/boxes.csv"))
    assert faults == []
    assert_array_equal(boxes[0], [OTHER])
    assert_array_equal(boxes[1], [BOX])


def test_a_picture_without_a_box_is_told() -> None:
    photos, _ = collect([Path("b.png"), Path("below/a.png")])
    boxes, faults = by_file(photos, {"a.png": [BOX]}, Path("elsewhere/boxes.csv"))
    assert [len(b) for b in boxes] == [0, 1]
    ((row, why),) = faults
    assert row == 0
    assert "no box for b.png" in why
    assert "elsewhere" in why


def test_a_name_that_may_mean_two_pictures_is_told(folder: Path) -> None:
    Image.new("RGB", (W, H)).save("a.png")
    photos, _ = collect([Path("a.png"), Path("below/a.png")])
    _, faults = by_file(photos, {"a.png": [BOX]}, Path("elsewhere/boxes.csv"))
    assert [row for row, _ in faults] == [0, 1]
    boxes, faults = by_file(photos, {"a.png": [BOX]}, folder / "boxes.csv")
    assert [len(b) for b in boxes] == [1, 0], "from the file's own folder it means the one"
    assert [row for row, _ in faults] == [1]


# --- the dataset ---


def test_rows_are_faces_and_ids_tell_them_apart() -> None:
    photos, _ = collect([Path("b.png"), Path("below/a.png"), Path("a é.JPG")])
    dataset = to_dataset(photos, [np.array([BOX, OTHER]), np.empty((0, 4)), np.array([OTHER])], SCHEMA)
    assert dataset.ids.tolist() == ["b.png#0", "b.png#1", "a é.JPG"]
    assert isinstance(dataset.images, Photos)
    assert names(dataset.images) == ["b.png", "b.png", "a é.JPG"]
    assert dataset.boxes is not None
    assert_array_equal(dataset.boxes, [BOX, OTHER, OTHER])
    assert np.isnan(dataset.points).all()


def test_a_whole_picture_is_its_box() -> None:
    photos, _ = collect([Path("b.png"), Path("a é.JPG")])
    assert_array_equal(np.concatenate(whole(photos)), [[0, 0, W, H], [0, 0, W + 1, H]])


def test_the_digest_follows_the_pictures() -> None:
    def digest() -> str:
        photos, _ = collect([Path("b.png"), Path("a é.JPG")])
        return to_dataset(photos, whole(photos), SCHEMA).digest

    before = digest()
    assert digest() == before
    Image.new("RGB", (W, H), "red").save("b.png")
    os.utime("b.png", ns=(1, 1))
    assert digest() != before


def test_a_name_that_is_no_text_does_no_harm() -> None:
    if os.name == "nt":
        pytest.skip("names are text there")
    name = os.fsdecode(b"caf\xe9.png")
    try:
        Image.new("RGB", (W, H)).save("plain.png")
        Path("plain.png").rename(name)
    except OSError:
        pytest.skip("the file system takes text alone")
    photos, faults = collect([Path(name), Path("b.png")])
    assert names(photos) == ["b.png"]
    assert len(faults) == 1
    assert to_dataset(photos, whole(photos), SCHEMA).digest


def test_a_detector_is_asked_for_each_picture_and_damage_is_told() -> None:
    half = Path("b.png").read_bytes()
    Image.new("RGB", (300, 300), "red").save("big.png")
    Path("cut.png").write_bytes(Path("big.png").read_bytes()[: len(half)])
    photos, _ = collect([Path("b.png"), Path("cut.png"), Path("a é.JPG")])
    told: list[tuple[int, int]] = []
    boxes, faults = by_detector(
        photos, lambda picture: np.array([[0.0, 0.0, *picture.shape[1::-1]]]), lambda *n: told.append(n)
    )
    assert [len(b) for b in boxes] == [1, 0, 1]
    assert_array_equal(boxes[2], [[0, 0, W + 1, H]])
    assert [row for row, _ in faults] == [1]
    assert told == [(1, 3), (2, 3), (3, 3)]
