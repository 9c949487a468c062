"""WFLW text: both forms, any number of points, and every fault with its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kptool.annotations import Annotations, kept, make, numbered
from kptool.errors import DataError, MissingFileError
from kptool.formats import wflw

LONG = "1 2.5 3 4 -5 6 0 1 10 21 0 1 0 0 1 0 a/x.jpg\n7 8 9 10 11 12 5 6 7 8 0 0 0 0 0 0 a/x.jpg\n"


def same(a: Annotations, b: Annotations) -> None:
    assert a.files.tolist() == b.files.tolist()
    assert a.names == b.names
    assert a.edges == b.edges
    np.testing.assert_array_equal(a.points, b.points)
    np.testing.assert_allclose(a.boxes, b.boxes, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(a.occluded, b.occluded)
    np.testing.assert_array_equal(a.sizes, b.sizes)


def faces(points: int = 5) -> Annotations:
    """Six faces; one lacks a point, one has none, one has no box."""
    generator = np.random.default_rng(points)
    xy = generator.normal(50, 80, (6, points, 2))
    xy[1, 0], xy[2] = np.nan, np.nan
    boxes = generator.uniform(0, 300, (6, 4))
    boxes[3] = np.nan
    occluded = np.zeros((6, points), dtype=np.bool_)
    occluded[0, -1] = True
    files = ["0--a/é.jpg", "b.png", "c.png", "0--a/é.jpg", "d.png", "d.png"]
    names = tuple(f"p{k}" for k in range(points))
    return make(Path(), files, names, xy, boxes, occluded, np.full((6, 2), 9), ((0, 1),) if points > 1 else ())


@pytest.mark.parametrize("points", [1, 2, 5, 98])
def test_what_is_written_is_read_again_less_what_is_told(tmp_path: Path, points: int) -> None:
    told = wflw.write(faces(points), tmp_path / "f.txt")
    same(wflw.read(tmp_path / "f.txt"), kept(faces(points), wflw.HOLDS))
    assert len(wflw.read(tmp_path / "f.txt")) == 4
    assert told[0].startswith("WFLW text cannot hold 2 of 6 rows")
    assert {line.split()[4] for line in told[1:]} >= {"point", "rows", "occlusion:", "picture"}


finite = st.floats(-1e6, 1e6)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.lists(
        st.tuples(
            st.lists(finite, min_size=6, max_size=6), st.tuples(finite, finite, st.floats(0, 1e4), st.floats(0, 1e4))
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_number_survives(tmp_path: Path, data: list[tuple[list[float], tuple[float, float, float, float]]]) -> None:
    points = np.array([xy for xy, _ in data]).reshape(-1, 3, 2)
    boxes = np.array([box for _, box in data])
    rows = make(Path(), [f"{n}.jpg" for n in range(len(data))], numbered(3), points, boxes)
    wflw.write(rows, tmp_path / "f.txt")
    same(wflw.read(tmp_path / "f.txt"), rows)


def test_the_longer_form() -> None:
    read = wflw.parse(LONG, Path("r"), "f.txt")
    np.testing.assert_array_equal(read.points[0], [[1, 2.5], [3, 4], [-5, 6]])
    assert read.boxes.tolist() == [[0, 1, 10, 20], [5, 6, 2, 2]]
    assert read.files.tolist() == ["a/x.jpg", "a/x.jpg"]
    assert read.names == ("00", "01", "02")


def test_the_shorter_form_has_no_boxes() -> None:
    read = wflw.parse("1 2 3 4.5 x.jpg\r\n\r\n5 6 7 8 y.jpg", Path(), "f.txt")
    np.testing.assert_array_equal(read.points, [[[1, 2], [3, 4.5]], [[5, 6], [7, 8]]])
    assert np.isnan(read.boxes).all()


def test_the_name_of_the_file_settles_the_form() -> None:
    zeros = "5 5 " * 4 + "0 1 1 1 0 0 x.jpg\n"
    assert wflw.parse(zeros, Path(), "f.txt").points.shape == (1, 2, 2)
    assert wflw.parse(zeros, Path(), "list_2pt_rect_attr_test.txt").points.shape == (1, 2, 2)
    assert wflw.parse(zeros, Path(), "list_7pt_test.txt").points.shape == (1, 7, 2)
    assert wflw.parse(LONG.replace("0 1 0 0 1 0", "0 2 0 0 1 0"), Path(), "list_3pt_rect.txt").points.shape == (2, 3, 2)


def test_pictures_are_looked_for_as_wflw_lays_them_out(tmp_path: Path) -> None:
    lists = tmp_path / "WFLW_annotations" / "list_98pt_rect_attr_train_test"
    lists.mkdir(parents=True)
    (lists / "list_3pt_rect_attr_test.txt").write_text(LONG)
    assert wflw.read(lists / "list_3pt_rect_attr_test.txt").root == lists
    (tmp_path / "WFLW_images").mkdir()
    assert wflw.read(lists / "list_3pt_rect_attr_test.txt").root == tmp_path / "WFLW_images"
    (lists / "WFLW_images").mkdir()
    assert wflw.read(lists / "list_3pt_rect_attr_test.txt").root == lists / "WFLW_images"


BAD = {
    "text": (LONG.replace("8 9", "eight 9"), "f.txt:2: column 2 is 'eight', expected a number; correct it"),
    "nan": (LONG.replace("2.5", "nan"), "f.txt:1: column 2 is 'nan', expected a number; correct it"),
    "python": (LONG.replace("2.5", "2_5"), "f.txt:1: column 2 is '2_5', expected a number; correct it"),
    "short": (LONG.replace("9 10 ", ""), "f.txt:2: 14 numbers before the name, 16 in the first line"),
    "odd": ("1 2 3 x.jpg", "f.txt:1: 3 numbers before the name"),
    "no name": ("x.jpg", "f.txt:1: 0 numbers before the name"),
    "attribute": (LONG.replace("0 0 0 0 0 0", "0 0 0 3 0 0"), "f.txt:2: the attributes are '0 0 0 3 0 0'"),
    "box": (LONG.replace("10 21", "10 0.5"), "f.txt:1: the box 0 1 10 0.5 ends before it begins"),
    "climbs": (LONG.replace("a/x.jpg", "../x.jpg", 1), "f.txt:1: "),
    "absolute": (LONG.replace("a/x.jpg", "/x.jpg", 1), "f.txt:1: "),
    "empty": ("\n \n", "f.txt: no faces; is this the right file?"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_line_is_named(case: str) -> None:
    text, message = BAD[case]
    with pytest.raises(DataError) as raised:
        wflw.parse(text, Path(), "f.txt")
    assert str(raised.value).startswith(message)
    assert raised.value.hint
    assert "\n" not in str(raised.value)


def test_a_name_with_a_blank_is_refused_not_broken(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot hold the name 'a b"):
        wflw.write(make(Path(), ["a b.jpg"], ("p",), np.ones((1, 1, 2))), tmp_path / "f.txt")
    assert not (tmp_path / "f.txt").exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file"):
        wflw.read(tmp_path / "none.txt")


def test_sniffing(tmp_path: Path) -> None:
    wflw.write(faces(98), tmp_path / "f.txt")
    (tmp_path / "short.txt").write_text("1 2 x.jpg")
    (tmp_path / "yolo.txt").write_text("0 0.5 0.5 0.1 0.1 0.5 0.5 2\n")
    (tmp_path / "prose.txt").write_text("once upon a.jpg")
    (tmp_path / "f.csv").write_text(LONG)
    (tmp_path / "d.txt").mkdir()
    names = ("f.txt", "short.txt", "yolo.txt", "prose.txt", "f.csv", "d.txt", "none.txt")
    assert [wflw.sniff(tmp_path / name) for name in names] == [True, True, False, False, False, False, False]
