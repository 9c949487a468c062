"""Law: a plain CSV, wide or long, is read as its header says to the last bit, and refused by line where it is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from awkward import awkward, same
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kptool.annotations import Annotations, kept, make, numbered
from kptool.errors import DataError, MissingFileError
from kptool.formats import boxes, csv_long, csv_wide, table

ROOT = Path("root")
nan = np.nan


def wide(text: str) -> Annotations:
    return csv_wide.parse(text, ROOT, "w.csv")


def long(text: str) -> Annotations:
    return csv_long.parse(text, ROOT, "l.csv")


def test_named_columns_in_any_order() -> None:
    a = wide("File,nose_y,eye_x,nose_x,eye_y,eye_occluded\r\na b.png,2,3,1,4,1\r\n'c'.png,,5e-1,,-6,\r\n")
    assert a.names == ("eye", "nose")
    assert a.files.tolist() == ["a b.png", "'c'.png"]
    np.testing.assert_array_equal(a.points, [[[3, 4], [1, 2]], [[0.5, -6], [nan, nan]]])
    assert a.occluded.tolist() == [[True, False], [False, False]]


@pytest.mark.parametrize("start", [0, 1])
def test_numbered_columns_from_0_or_1_and_a_byte_order_mark(tmp_path: Path, start: int) -> None:
    (tmp_path / "f.csv").write_text(f"\ufeffimage,x{start},y{start},X{start + 1},Y{start + 1}\na.png,1,2,nan,NaN\n")
    a = csv_wide.read(tmp_path / "f.csv")
    assert a.names == numbered(2)
    np.testing.assert_array_equal(a.points, [[[1, 2], [nan, nan]]])
    assert (a.root, table.sniff(tmp_path / "f.csv")) == (tmp_path, "csv")


@pytest.mark.parametrize("box", ["box_left,box_top,box_width,box_height", "bbox_x,bbox_y,bbox_w,bbox_h"])
def test_boxes_and_sizes_beside_the_points(box: str) -> None:
    a = wide(f"anything at all,{box},a_x,a_y,width,height\np.png,1,2,3,4,5,6,70,80\nq.png,,,,,5,6,,\n")
    np.testing.assert_array_equal(a.boxes, [[1, 2, 3, 4], [nan] * 4])
    assert a.sizes.tolist() == [[70, 80], [0, 0]]


def test_a_point_may_be_called_like_half_a_box() -> None:
    assert wide("image,bbox_x,bbox_y\na,1,2\n").names == ("bbox",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "w.csv: the file is empty"),
        ("nose_x,nose_y\n1,2\n", "w.csv:1: the first column is 'nose_x'"),
        ("image,nose_x\na,1\n", "w.csv:1: column 'nose_x' has no y"),
        ("image,nose_occluded\na,1\n", "w.csv:1: column 'nose_occluded' has no x"),
        ("image,a_x,a_y,a_x\na,1,2,3\n", "w.csv:1: column 'a_x' stands twice"),
        ("image,a_x,a_y,a_X\na,1,2,3\n", "w.csv:1: column 'a_X' stands twice"),
        ("image,a_x,a_y,score\na,1,2,3\n", "w.csv:1: unknown column 'score'"),
        ("image,x1,y1,x3,y3\na,1,2,3,4\n", "w.csv:1: column x3, expected x2"),
        ("image,x2,y2\na,1,2\n", "w.csv:1: column x2, expected x1"),
        ("image,x1,y1,a_x,a_y\na,1,2,3,4\n", "w.csv:1: some points are numbered"),
        ("image;x1;y1\na;1;2\n", "w.csv:1: no coordinate columns"),
        ("image,width,a_x,a_y\na,1,2,3\n", "w.csv:1: column width stands without height"),
        ("image,a_x,a_y\na,1,2\nb,1\n", "w.csv:3: the row has 2 fields, expected 3"),
        ("image,a_x,a_y\na,1,2\nb,1,2,3\n", "w.csv:3: the row has 4 fields"),
        ('image,a_x,a_y\na,"\n1",2\n\nc,1,\n', "w.csv:5: point a has x and no y"),
        ("image,a_x,a_y\na,1,left\n", "w.csv:2: y of a is 'left', expected a number"),
        ("image,a_x,a_y\na,1,inf\n", "w.csv:2: y of a is 'inf'"),
        ("image,a_x,a_y\na,1_0,1\n", "w.csv:2: x of a is '1_0'"),
        ("image,a_x,a_y,a_occluded\na,1,2,yes\n", "w.csv:2: a_occluded is 'yes'"),
        ("image,a_x,a_y,a_occluded\na,,,1\n", "w.csv:2: a_occluded is 1 and the point has no place"),
        ("image,width,height\na,0,7\n", "w.csv:2: width is '0'"),
        ("image,width,height\na,7,\n", "w.csv:2: height is ''"),
        ("image,box_left,box_top,box_width,box_height\na,1,2,,4\n", "w.csv:2: the box is told in part"),
        ('image,a_x,a_y\n"a,1,2\n', "w.csv:2: the row is no CSV"),
        ("image,a_x,a_y\n../a.png,1,2\n", "w.csv:2: "),
        ("image,a_x,a_y\n,1,2\n", "w.csv:2: "),
    ],
)
def test_a_wrong_wide_table_is_refused_by_line(text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        wide(text)
    assert str(caught.value).startswith(message), caught.value
    assert caught.value.hint


def test_wide_columns_are_written_only_where_there_is_something(tmp_path: Path) -> None:
    plain = make(ROOT, ["a.png", "a.png"], numbered(2), np.array([[[1.0, 2.5], [nan, nan]], [[3, 4], [5, 6]]]))
    assert csv_wide.write(plain, tmp_path / "f.csv") == []
    assert (tmp_path / "f.csv").read_text() == "image,x1,y1,x2,y2\na.png,1,2.5,,\na.png,3,4,5,6\n"
    full = awkward(tmp_path / "p")
    assert csv_wide.write(full, tmp_path / "f.csv") == ["CSV cannot hold edges (2)"]
    header = (tmp_path / "f.csv").read_text().partition("\n")[0]
    assert header.startswith("image,width,height,box_left,box_top,box_width,box_height,left eye_x,left eye_y,")
    assert header.endswith(',left eye_occluded,"mouth, left_occluded"')


def test_long_rows_make_faces_and_points_in_the_order_of_their_first_row() -> None:
    a = long("image,point,x,y\nb.png,nose,1,2\na.png,eye,3,4\nb.png,eye,,\na.png,nose,5,6\n")
    assert (a.files.tolist(), a.names) == (["b.png", "a.png"], ("nose", "eye"))
    np.testing.assert_array_equal(a.points, [[[1, 2], [nan, nan]], [[5, 6], [3, 4]]])


def test_long_rows_tell_faces_apart_by_a_column() -> None:
    a = long(
        "y,x,POINT,file,face,occluded\n".replace("y,x,POINT,file", "file,y,x,POINT") + "a,2,1,n,0,0\na,4,3,n,1,1\n"
    )
    np.testing.assert_array_equal(a.points, [[[1, 2]], [[3, 4]]])
    assert (a.files.tolist(), a.occluded.tolist()) == (["a", "a"], [[False], [True]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,point,x\na,n,1\n", "l.csv:1: no column 'y'"),
        ("image,point,x,y,z\na,n,1,2,3\n", "l.csv:1: unknown column 'z'"),
        ("image,point,x,y\na,n,1,2\na,n,1,2\n", "l.csv:3: point 'n' of a stands twice; keep one, or tell faces apart"),
        ("image,face,point,x,y\na,0,n,1,2\na,0,n,1,2\n", "l.csv:3: point 'n' of a stands twice; keep one of them"),
        ("image,point,x,y\na,n,1,\n", "l.csv:2: point n has x and no y"),
        ("image,point,x,y\na,,1,2\n", "l.csv:2: x and y without a point's name"),
        ("image,point,x,y,face\na,n,1,2,-1\n", "l.csv:2: face is '-1'"),
        ("image,point,x,y,occluded\na,n,,,1\n", "l.csv:2: occluded is 1"),
        ("image,point,x,y\nC:/a,n,1,2\n", "l.csv:2: "),
    ],
)
def test_a_wrong_long_table_is_refused_by_line(text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        long(text)
    assert str(caught.value).startswith(message), caught.value


def test_long_columns_are_written_only_where_they_are_needed(tmp_path: Path) -> None:
    a = make(ROOT, ["b.png", "a.png"], ("n",), np.array([[[0.1, 2]], [[nan, nan]]]))
    assert csv_long.write(a, tmp_path / "f.csv") == []
    assert (tmp_path / "f.csv").read_text() == "image,point,x,y\nb.png,n,0.1,2\na.png,n,,\n"
    assert csv_long.write(awkward(tmp_path / "p"), tmp_path / "f.csv")[0] == "long CSV cannot hold boxes (5)"
    assert (tmp_path / "f.csv").read_text().startswith("image,face,point,x,y,occluded\n")


names = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1), max_size=3, unique=True
)
finite = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), names=names, n=st.integers(0, 4))
def test_every_bit_of_every_number_comes_back(tmp_path: Path, data: st.DataObject, names: list[str], n: int) -> None:
    files = data.draw(st.lists(st.sampled_from(["a,b.png", "q\"'.png", " s.png", "漢/é.jpg"]), min_size=n, max_size=n))
    pairs = st.one_of(st.just((nan, nan)), st.tuples(finite, finite))
    points = np.array(data.draw(st.lists(pairs, min_size=n * len(names), max_size=n * len(names))))
    a = make(ROOT, files, tuple(names), points.reshape(n, len(names), 2))
    for module in (csv_wide, csv_long):
        if module is csv_long and n == 0:
            continue  # names stand in rows, and there are none
        module.write(a, tmp_path / "f.csv")
        back, held = module.read(tmp_path / "f.csv"), kept(a, module.HOLDS)
        same(back, held)
        assert back.points.tobytes() == held.points.tobytes()


@pytest.mark.parametrize("module", [csv_wide, csv_long])
@pytest.mark.parametrize("names", [("a", "a"), ("a", ""), ("a", " b")])
def test_points_that_a_table_cannot_tell_apart_are_not_written(tmp_path: Path, module, names: tuple[str, str]) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError, match="point "):
        module.write(make(ROOT, ["a.png"], names, np.ones((1, 2, 2))), tmp_path / "f.csv")
    assert not (tmp_path / "f.csv").exists()


def test_files_that_are_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file"):
        csv_wide.read(tmp_path / "none.csv")
    (tmp_path / "f.csv").write_bytes(b"image,a_x,a_y\n\xff.png,1,2\n")
    with pytest.raises(DataError, match="not UTF-8"):
        csv_long.read(tmp_path / "f.csv")


@pytest.mark.parametrize("header", ["image,x,y,w,h", "Name,left,top,width,height", "file,bbox_x,box_top,W,H"])
def test_boxes_from_a_table_in_file_order(tmp_path: Path, header: str) -> None:
    (tmp_path / "b.csv").write_text(f"{header}\nb.png,1,2,3,4\na.png,-5,0.5,7,8\nb.png,9,9,1,1\n")
    found = boxes.read_boxes(tmp_path / "b.csv")
    assert found == {"b.png": [(1, 2, 3, 4), (9, 9, 1, 1)], "a.png": [(-5, 0.5, 7, 8)]}
    assert list(found) == ["b.png", "a.png"]


@pytest.mark.parametrize(
    "row", ["b.png,1,2,0,4", "b.png,1,2,3,-4", "b.png,1,2,,4", "b.png,1,inf,3,4", "../b.png,1,2,3,4"]
)
def test_a_wrong_box_is_refused_by_line(tmp_path: Path, row: str) -> None:
    (tmp_path / "b.csv").write_text(f"image,x,y,w,h\na.png,1,2,3,4\n{row}\n")
    with pytest.raises(DataError, match=r"^b.csv:3: "):
        boxes.read_boxes(tmp_path / "b.csv")


def test_boxes_from_annotations_of_any_format(tmp_path: Path) -> None:
    a = awkward(tmp_path)
    for name, file in (("coco", "f.json"), ("csv", "f.csv")):
        table.get(name).write(a, tmp_path / file)
        found = boxes.read_boxes(tmp_path / file)
        assert sum(map(len, found.values())) == 5
        assert found["c.png"] == [(3, 5, 7, 11)]
    table.get("csv-long").write(a, tmp_path / "f.csv")
    with pytest.raises(DataError, match="no box in it"):
        boxes.read_boxes(tmp_path / "f.csv")
    a.boxes[0, 2] = 0
    with pytest.raises(DataError, match="a width and a height above 0"):
        boxes.from_annotations(a)
