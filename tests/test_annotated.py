"""Law: a competition's photos are its annotations' rows, named apart, and every picture to be answered is there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kptool.annotations import make, numbered
from kptool.config import Competition, parse
from kptool.errors import DataError
from kptool.formats import get
from kptool.formats.annotated import face_ids, to_dataset
from kptool.own_photos import absolute

POINTS = ["left", "right", "chin"]


def competition(**more: object) -> Competition:
    return parse(Competition, {"slug": "own", "title": "own", "format": "dlib", "points": POINTS} | more, "test")


def pictures(folder: Path, names: list[str]) -> None:
    for n, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (20 + n, 11 + n), 40 * n).save(folder / name)


def test_ids_are_apart_whatever_pictures_are_called() -> None:
    files = np.array(["a.png", "b.png", "a.png", "a.png#0", "a.png"])
    ids = face_ids(files).tolist()
    assert ids == ["a.png#1", "b.png", "a.png#2", "a.png#0", "a.png#3"]
    assert face_ids(np.array(["x", "y"])).tolist() == ["x", "y"]


def test_the_digest_knows_which_row_shows_which_picture(tmp_path: Path) -> None:
    pictures(tmp_path, ["a.png", "b.png"])
    points = np.full((3, 3, 2), np.nan)
    rows = [
        make(tmp_path, files, numbered(3), points)
        for files in (["a.png", "a.png", "b.png"], ["a.png", "b.png", "b.png"])
    ]
    one, two = (to_dataset(a, competition(), competition().schema_of_points) for a in rows)
    assert one.digest != two.digest


def test_points_are_found_by_name_in_any_order_or_by_number(tmp_path: Path) -> None:
    pictures(tmp_path, ["a.png"])
    points = np.arange(6.0).reshape(1, 3, 2)
    schema = competition(only=["chin", "left"]).schema_of_points
    for names, order in ((("chin", "right", "left"), [0, 2]), (numbered(3), [2, 0])):
        found = to_dataset(make(tmp_path, ["a.png"], names, points), competition(), schema)
        assert np.array_equal(found.points, points[:, order])
    with pytest.raises(DataError, match="none called 'chin'; did you mean 'chim'"):
        to_dataset(make(tmp_path, ["a.png"], ("left", "right", "chim"), points), competition(), schema)


def test_a_folder_to_be_answered_is_its_pictures_beside_stray_labels_too(tmp_path: Path) -> None:
    pictures(tmp_path / "test", ["q1.png", "q2.png", "deep/q3.png"])
    (tmp_path / "test" / "q1.pts").write_text("version: 1\nn_points: 3\n{\n1 1\n2 2\n3 3\n}\n")
    own = competition(format="pts", test="test")
    found = get(own).read_test(tmp_path, own.schema_of_points)
    assert sorted(found.ids.tolist()) == ["deep/q3.png", "q1.png", "q2.png"]
    assert np.isnan(found.points).all()


def test_dots_behind_a_symlink_lead_where_the_system_goes(tmp_path: Path) -> None:
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "link").symlink_to(tmp_path / "real" / "deep")
    pictures(tmp_path, ["real/x.png", "here/x.png"])
    assert absolute(tmp_path / "here" / "link" / ".." / "x.png").samefile(tmp_path / "real" / "x.png")
    assert absolute(tmp_path / "here" / "link") == tmp_path / "here" / "link", "other symlinks keep their names"


def test_a_person_that_no_name_tells_is_refused(tmp_path: Path) -> None:
    pictures(tmp_path, ["01-a.png", "x.png"])
    points = np.zeros((2, 3, 2))
    own = competition(person=r"^(\d+)-")
    with pytest.raises(DataError, match=r"x\.png: the pattern person"):
        to_dataset(make(tmp_path, ["01-a.png", "x.png"], numbered(3), points), own, own.schema_of_points)
