"""Folders of AAM shape files: what is written comes back, IMM reads as it is drawn, every fault has its place."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from awkward import identical
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kptool.annotations import kept, make, numbered
from kptool.errors import DataError, MissingFileError
from kptool.formats import asf
from kptool.formats.asf_paths import connections

FILES = ["#1 é.png", "a b/&.jpg", "a.b.PNG", "b/日本.bmp"]
EDGES = ((0, 1), (1, 2), (2, 0), (3, 4))
THREE = "# c\n\n3\n0 4 0.5 0.25 0 0 1\n0\t4\t1 0 1 0 2 0.0 0.0 0.0\n1 0 -0.5 1.5 2 2 2\n\n# host image\na.jpg\n"


def put_pictures(root: Path, files: list[str], size: tuple[int, int] = (64, 40)) -> None:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", size).save(root / name)


def groups(edges: list[tuple[int, int]]) -> list[frozenset[int]]:
    """Points that are joined, however far; by plain merging."""
    found: list[frozenset[int]] = []
    for a, b in edges:
        touched = [group for group in found if group & {a, b}]
        found = [group for group in found if group not in touched] + [frozenset({a, b}).union(*touched)]
    return found


# What is written


@pytest.mark.parametrize("sized", [True, False])
def test_read_gives_back_what_write_kept(sized: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    files = [*FILES, "a.b.PNG", "gap.jpg", "none.jpg"]
    n = len(files)
    put_pictures(tmp_path, files)
    points = rng.uniform(-30, 900, (n, 5, 2))
    points[-2, 1], points[-1] = np.nan, np.nan
    hidden = np.isfinite(points[..., 0]) & (rng.random((n, 5)) < 0.5)
    sizes = np.tile([64, 40], (n, 1)) if sized else None
    a = make(tmp_path, files, tuple("vwxyz"), points, rng.uniform(1, 9, (n, 4)), hidden, sizes, EDGES)
    told = asf.write(a, tmp_path)
    assert told[0].startswith("asf cannot hold 3 of 7 rows")
    assert len(told) == 4 + sized
    identical(asf.read(tmp_path), kept(a, asf.HOLDS), rtol=1e-12, atol=1e-9)
    assert asf.sniff(tmp_path)
    assert asf.sniff(tmp_path / "a.b.asf")


def test_paths_are_told_open_and_closed_as_in_imm(tmp_path: Path) -> None:
    put_pictures(tmp_path, ["a.jpg"], (10, 10))
    asf.write(make(tmp_path, ["a.jpg"], numbered(6), np.ones((1, 6, 2)), edges=EDGES), tmp_path)
    lines = [line.split() for line in (tmp_path / "a.asf").read_text().splitlines() if line.startswith(("0\t", "1\t"))]
    assert [(*line[:2], *line[4:]) for line in lines] == [
        ("0", "0", "0", "2", "1"),
        ("0", "0", "1", "0", "2"),
        ("0", "0", "2", "1", "0"),
        ("1", "4", "3", "3", "4"),
        ("1", "4", "4", "3", "4"),
    ]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=9))
def test_edges_are_held_but_for_those_that_are_counted(edges: list[tuple[int, int]]) -> None:
    ways, left = connections(7, tuple(edges))
    held = [frozenset((k, way.end)) for k, way in enumerate(ways) if way.end != k]
    wanted = [frozenset(edge) for edge in edges if edge[0] != edge[1]]
    assert len(held) + left == len(edges)
    # Each group of joined points holds at most an edge a point, and a maximum is reached.
    assert len(held) == sum(min(len(g), sum(edge <= g for edge in wanted)) for g in groups(edges))
    assert all(held.count(edge) <= wanted.count(edge) for edge in held)
    if len({a for a, _ in edges}) == len(edges) and all(a != b for a, b in edges):
        assert left == 0
    for way in ways:
        if way.start != way.end:
            assert ways[way.start].path == ways[way.end].path == way.path


def test_edges_that_branch_are_told(tmp_path: Path) -> None:
    star = make(tmp_path, ["a.jpg"], numbered(4), np.ones((1, 4, 2)), sizes=np.full((1, 2), 9))
    assert asf.write(replace(star, edges=((0, 1), (0, 2), (0, 3))), tmp_path / "s") == ["asf cannot hold picture sizes"]
    full = tuple((a, b) for a in range(4) for b in range(a))
    assert asf.write(replace(star, edges=full), tmp_path / "s")[-1].startswith("asf cannot hold 2 of 6 edges")


def test_what_cannot_be_written_is_refused_before_a_file_stands(tmp_path: Path) -> None:
    size = np.array([[9, 9]])
    (tmp_path / "file").touch()
    for files in (["a.jpg", "a.png"], ["../a.jpg"], ["b.jpg", "/a.jpg"], [" a.jpg"]):
        n = len(files)
        with pytest.raises(DataError):
            asf.write(make(tmp_path, files, ("p",), np.ones((n, 1, 2)), sizes=size.repeat(n, 0)), tmp_path)
    with pytest.raises(DataError, match="written into a folder"):
        asf.write(make(tmp_path, ["a.jpg"], ("p",), np.ones((1, 1, 2)), sizes=size), tmp_path / "file")
    with pytest.raises(DataError, match=r"^a\.asf: the size of a\.jpg is not known"):
        asf.write(make(tmp_path, ["a.jpg"], ("p",), np.ones((1, 1, 2))), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


# What is read


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_fractions_of_width_and_height_and_users_columns(end: str, tmp_path: Path) -> None:
    put_pictures(tmp_path, ["sub/a.jpg"])
    (tmp_path / "sub" / "a.asf").write_bytes(THREE.replace("\n", end).encode())
    a = asf.read(tmp_path)
    np.testing.assert_array_equal(a.points, [[[32, 10], [64, 0], [-32, 60]]])
    assert (a.files.tolist(), a.names, a.edges) == (["sub/a.jpg"], ("00", "01", "02"), ((0, 1), (1, 2)))
    one = asf.read(tmp_path / "sub" / "a.asf")
    assert (one.root, one.files.tolist()) == (tmp_path / "sub", ["a.jpg"])


@pytest.mark.parametrize("host", ["shot.bmp", "shot.jpg", "./shot.JPEG", "shot"])
def test_the_picture_named_may_have_another_ending(host: str, tmp_path: Path) -> None:
    put_pictures(tmp_path, ["shot.png", "a.png"])
    (tmp_path / "a.asf").write_text(THREE.replace("a.jpg", host))
    assert asf.read(tmp_path).files.tolist() == ["shot.png"]
    (tmp_path / "a.asf").write_text(THREE.replace("a.jpg", ""))
    assert asf.read(tmp_path).files.tolist() == ["a.png"]


def test_of_two_endings_the_one_named_is_taken(tmp_path: Path) -> None:
    put_pictures(tmp_path, ["a.png", "a.jpg"])
    (tmp_path / "a.asf").write_text(THREE)
    assert asf.read(tmp_path).files.tolist() == ["a.jpg"]
    (tmp_path / "a.asf").write_text(THREE.replace("a.jpg", "a.bmp"))
    with pytest.raises(DataError, match=r"^a\.asf: it may belong to a\.jpg or a\.png"):
        asf.read(tmp_path)


# What is refused


@pytest.mark.parametrize(
    ("old", "new", "place", "says"),
    [
        (THREE, "", ":1", "expected the number of points"),
        ("\n3\n", "\nmany\n", ":3", "'many', expected the number of points"),
        ("\n3\n", "\n0\n", ":3", "'0', expected the number of points"),
        ("\n3\n", "\n2\n", ":5", "connects 0 to 2, but there are 2 points"),
        ("\n3\n", "\n4\n", ":9", "expected point 3 of 4"),
        ("\n# host image\na.jpg\n", "extra\na.jpg\n", ":8", "'a.jpg' after the picture's name"),
        ("1 0 -0.5 1.5 2 2 2\n\n# host image\na.jpg\n", "", "", "ends after 2 of 3 points"),
        ("0.25 0 0 1", "0.25 0 0", ":4", "expected point 0 of 3"),
        ("0.25", "abc", ":4", "a coordinate is 'abc', expected a number"),
        ("0.25", "nan", ":4", "a coordinate is 'nan', expected a number"),
        ("1 0 -0.5", "x 0 -0.5", ":6", "'x' of point 2, expected a whole number"),
        ("1.5 2 2 2", "1.5 1 2 2", ":6", "point 1 where point 2 was expected"),
        ("1.5 2 2 2", "1.5 2 2 3", ":6", "connects 2 to 3, but there are 3 points"),
    ],
)
def test_a_fault_is_told_with_its_place(old: str, new: str, place: str, says: str) -> None:
    assert old in THREE
    with pytest.raises(DataError) as caught:
        asf.parse(THREE.replace(old, new), "s/a.asf")
    assert str(caught.value).startswith(f"s/a.asf{place}: ")
    assert says in caught.value.message
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_a_host_that_leaves_its_folder_is_refused(tmp_path: Path) -> None:
    put_pictures(tmp_path, ["a.jpg", "sub/b.jpg"])
    for host in ("../a.jpg", str(tmp_path / "a.jpg"), "..\\a.jpg", "C:/a.jpg"):
        (tmp_path / "sub" / "b.asf").write_text(THREE.replace("a.jpg", host))
        with pytest.raises(DataError, match=r"^sub/b\.asf: picture name"):
            asf.read(tmp_path)


def test_pictures_must_be_there_once_and_shapes_alike(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no \.asf file"):
        asf.read(tmp_path)
    with pytest.raises(MissingFileError):
        asf.read(tmp_path / "none")
    (tmp_path / "a.asf").write_text(THREE)
    with pytest.raises(DataError, match=r"^a\.asf: no picture 'a\.\*'"):
        asf.read(tmp_path)
    put_pictures(tmp_path, ["a.jpg", "b.jpg"])
    for text, says in (
        (THREE, "names a.jpg as a.asf does"),
        ("1\n0 4 0 0 0 0 0\nb.jpg", "1 points, but a.asf has 3"),
        (THREE.replace("a.jpg", "b.jpg").replace("1 0 2 ", "1 0 0 "), "connects its points otherwise than a.asf"),
    ):
        (tmp_path / "b.asf").write_text(text)
        with pytest.raises(DataError) as caught:
            asf.read(tmp_path)
        assert str(caught.value).startswith(f"b.asf: {says}")


def test_films_that_end_in_asf_are_not_taken(tmp_path: Path) -> None:
    (tmp_path / "film.asf").write_bytes(bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"))
    (tmp_path / "a.txt").write_text(THREE)
    for name in ("film.asf", "a.txt", "none"):
        assert not asf.sniff(tmp_path / name)


# Real files


def test_the_imm_faces(tmp_path: Path) -> None:
    folder = os.environ.get("KPTOOL_DATA_IMM")
    if not folder:
        pytest.skip("KPTOOL_DATA_IMM names no folder")
    a = asf.read(Path(folder))
    assert a.points.shape == (240, 58, 2)
    assert (a.points > 0).all()
    assert (a.points < [640, 480]).all()
    # Chin below mouth, mouth below nose, nose below eyes, in every face.
    height = [a.points[:, part, 1].mean(1) for part in (slice(13, 29), [52], slice(39, 47), [6])]
    assert (np.diff(height, axis=0) > 0).all()
    assert len(a.edges) == 54
    some = replace(a, sizes=np.tile([640, 480], (240, 1))).take(np.arange(0, 240, 31))
    assert asf.write(some, tmp_path) == ["asf cannot hold picture sizes"]
    put_pictures(tmp_path, some.files.tolist(), (640, 480))
    identical(asf.read(tmp_path), kept(some, asf.HOLDS), rtol=1e-12, atol=1e-9)
    first = (Path(folder) / some.files[0]).with_suffix(".asf")
    ours, theirs = (asf.parse(path.read_text(), "p") for path in (tmp_path / first.name, first))
    assert ours.edges == theirs.edges
