"""Folders of .pts files: what is written comes back, menpo's and iBUG's conventions hold, every fault has its place."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from awkward import identical
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kptool.annotations import kept, make, numbered
from kptool.errors import DataError, MissingFileError
from kptool.formats import pts

FILES = ["a b/&é.jpg", "a.b.PNG", "b/a.jpg", "b/c/日本.tiff", "zz.jpeg"]
TWO = "version: 1\nn_points: 2\n{\n1 1\n3.5 4\n}\n"


def put_pictures(root: Path, files: list[str]) -> None:
    """Empty files: the format must find pictures, not open them."""
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


# What is written


def test_read_gives_back_what_write_kept(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    files = [*FILES, "a.b.PNG", "gap.jpg", "none.jpg"]
    points = rng.uniform(-30, 900, (len(files), 3, 2))
    points[-2, 1], points[-1] = np.nan, np.nan
    hidden = np.isfinite(points[..., 0]) & (rng.random((len(files), 3)) < 0.5)
    boxes, sizes = rng.uniform(1, 9, (len(files), 4)), np.full((len(files), 2), 77)
    a = make(Path("elsewhere"), files, ("x", "y", "z"), points, boxes, hidden, sizes, ((0, 1),))
    told = pts.write(a, tmp_path)
    put_pictures(tmp_path, files)
    found = pts.read(tmp_path)
    assert found.root == tmp_path
    assert found.files.tolist() == FILES
    identical(found, kept(a, pts.HOLDS), rtol=1e-12, atol=1e-9)
    assert told[0].startswith("pts cannot hold 3 of 8 rows")
    assert len(told) == 6
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.pts")) == [
        str(Path(name).with_suffix(".pts")) for name in FILES
    ]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(points=st.lists(st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)), min_size=1, max_size=7))
def test_any_points_come_back(points: list[tuple[float, float]], tmp_path: Path) -> None:
    put_pictures(tmp_path, ["a.jpg"])
    a = make(tmp_path, ["a.jpg"], numbered(len(points)), np.array(points)[None])
    assert pts.write(a, tmp_path) == []
    identical(pts.read(tmp_path), a, rtol=1e-12, atol=1e-9)


def test_what_cannot_be_written_is_refused_before_a_file_stands(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for files in (["a.jpg", "a.png"], ["../a.jpg"], ["b.jpg", "/a.jpg"]):
        with pytest.raises(DataError):
            pts.write(make(tmp_path, files, ("p",), np.ones((len(files), 1, 2))), tmp_path)
    with pytest.raises(DataError, match="written into a folder"):
        pts.write(make(tmp_path, ["a.jpg"], ("p",), np.ones((1, 1, 2))), tmp_path / "file" / "below")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert not (tmp_path.parent / "a.pts").exists()


# What is read


@pytest.mark.parametrize(
    "text",
    [
        TWO,
        TWO.replace("\n", "\r\n"),
        TWO.replace("\n", "\r"),
        "\ufeff" + TWO,
        "// made by hand\n" + TWO.replace("{", "# the points\n\n  {  \n"),
        "{\n\t1   1 \n 3.5\t4.0e0\n}",
        "n_points:2\nversion:1\ncreator: me\n{\n1 1\n3.5 4\n}\n\n# end\n",
    ],
)
def test_points_count_from_one_whatever_the_layout(text: str, tmp_path: Path) -> None:
    put_pictures(tmp_path, ["a.JPG"])
    (tmp_path / "a.pts").write_bytes(text.encode())
    np.testing.assert_array_equal(pts.read(tmp_path).points, [[[0, 0], [2.5, 3]]])


def test_one_file_a_folder_and_what_is_hidden(tmp_path: Path) -> None:
    put_pictures(tmp_path, ["b.jpg", "a.png", "sub/c.BMP", ".hidden/d.jpg"])
    for name in ("b.PTS", "a.pts", "sub/c.pts"):
        (tmp_path / name).write_text(TWO)
    for name in ("._a.pts", ".hidden/d.pts"):
        (tmp_path / name).write_bytes(b"\0\1")
    assert pts.read(tmp_path).files.tolist() == ["a.png", "b.jpg", "sub/c.BMP"]
    (tmp_path / "empty").mkdir()
    one = pts.read(tmp_path / "sub" / "c.pts")
    assert (one.root, one.files.tolist(), one.names) == (tmp_path / "sub", ["c.BMP"], ("00", "01"))
    assert pts.sniff(tmp_path)
    assert pts.sniff(tmp_path / "a.pts")
    for path in (tmp_path / "empty", tmp_path / "b.jpg", tmp_path / "none", tmp_path / "._a.pts"):
        assert not pts.sniff(path)


# What is refused


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("", "", "no line that is an opening brace"),
        ("version: 1\nn_points: 1\n1 1\n", "", "no line that is an opening brace"),
        ("version: 2\n{\n1 1\n}", ":1", "version '2'"),
        ("version: 1\nn_points: x\n{\n1 1\n}", ":2", "n_points is 'x'"),
        ("version: 1\nn_points: 3\n{\n1 1\n2 2\n}", ":6", "2 points, but n_points is 3"),
        ("version: 1\nn_points: 1\n{\n1 1\n", "", "ends before the closing brace"),
        ("{\n1 1\n2\n}", ":3", "'2', expected x and y"),
        ("{\n1 1 1\n}", ":2", "'1 1 1', expected x and y"),
        ("{\n\n1 abc\n}", ":3", "'abc', expected a number"),
        ("{\n1 nan\n}", ":2", "'nan', expected a number"),
        ("{\n1 1e999\n}", ":2", "'1e999', expected a number"),
        ("{\n1 1_0\n}", ":2", "'1_0', expected a number"),
        ("{\n1 1\n}\n2 2", ":4", "'2 2' after the closing brace"),
        ("n_points: 0\n{\n}", ":3", "no points"),
        ("{\n1 \x1b[31m\n}", ":2", "'\\x1b[31m', expected a number"),
    ],
)
def test_a_fault_is_told_with_its_place(text: str, place: str, says: str) -> None:
    with pytest.raises(DataError) as caught:
        pts.parse(text, "sub/a.pts")
    assert str(caught.value).startswith(f"sub/a.pts{place}: ")
    assert says in caught.value.message
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_pictures_must_be_there_once_and_shapes_alike(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no \.pts file"):
        pts.read(tmp_path)
    with pytest.raises(MissingFileError):
        pts.read(tmp_path / "none")
    (tmp_path / "a.pts").write_text(TWO)
    with pytest.raises(DataError, match=r"^a\.pts: no picture 'a\.\*'"):
        pts.read(tmp_path)
    put_pictures(tmp_path, ["a.jpg", "sub/b.jpg"])
    (tmp_path / "sub" / "b.pts").write_text("{\n1 1\n}")
    with pytest.raises(DataError, match=r"^sub/b\.pts: 1 points, but a\.pts has 2"):
        pts.read(tmp_path)
    put_pictures(tmp_path, ["a.png"])
    with pytest.raises(DataError, match=r"^a\.pts: it may belong to a\.jpg or a\.png"):
        pts.read(tmp_path)


# Real files


def test_the_300w_files(tmp_path: Path) -> None:
    folder = os.environ.get("KPTOOL_DATA_IBUG")
    if not folder:
        pytest.skip("KPTOOL_DATA_IBUG names no folder")
    a = pts.read(Path(folder))
    assert a.points.shape == (2012, 68, 2)
    assert pts.sniff(Path(folder))
    some = a.take(np.arange(0, 2012, 50))
    assert pts.write(some, tmp_path) == []
    put_pictures(tmp_path, some.files.tolist())
    identical(pts.read(tmp_path), some, rtol=1e-12, atol=1e-9)
