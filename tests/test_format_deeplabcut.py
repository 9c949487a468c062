"""Law: DeepLabCut's tables are read as pandas writes them, one animal or several, with their pictures found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from awkward import same

from kptool.annotations import kept, make
from kptool.errors import DataError
from kptool.formats import deeplabcut, table

nan = np.nan
PARTS = ["snout", "tail base"]
FILES = ["labeled-data/reach/img005.png", "labeled-data/reach/img012.png", "labeled-data/other/img1.png"]


def single(
    path: Path, three: bool, coords: tuple[str, ...] = ("x", "y")
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """A table of one animal made by pandas, as DeepLabCut makes it; returns its points."""
    columns = pd.MultiIndex.from_product([["Ada"], PARTS, coords], names=["scorer", "bodyparts", "coords"])
    values = np.arange(3 * len(columns), dtype=float).reshape(3, len(columns)) / 3
    values[1, : len(coords)] = nan
    values[2] = nan
    index = pd.MultiIndex.from_tuples([tuple(f.split("/")) for f in FILES]) if three else pd.Index(FILES)
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(values, index=index, columns=columns).to_csv(path)
    return values.reshape(3, 2, len(coords))[:, :, :2]


@pytest.mark.parametrize("three", [False, True])
def test_a_table_of_one_animal_as_pandas_writes_it(tmp_path: Path, three: bool) -> None:
    path = tmp_path / "labeled-data" / "reach" / "CollectedData_Ada.csv"
    points = single(path, three)
    a = deeplabcut.read(path)
    assert (a.files.tolist(), a.names, a.root) == (FILES, tuple(PARTS), tmp_path)
    np.testing.assert_array_equal(a.points, points)
    assert table.sniff(path) == "deeplabcut"
    assert deeplabcut.remarks(path) == []


def test_likelihood_is_dropped_and_told(tmp_path: Path) -> None:
    points = single(tmp_path / "p.csv", True, ("x", "y", "likelihood"))
    np.testing.assert_array_equal(deeplabcut.read(tmp_path / "p.csv").points, points)
    assert deeplabcut.remarks(tmp_path / "p.csv") == ["the likelihood of its predictions is dropped"]


def test_several_animals_are_rows_of_one_picture_and_unique_parts_are_nan_elsewhere(tmp_path: Path) -> None:
    columns = pd.MultiIndex.from_tuples(
        [
            ("Ada", who, part, axis)
            for who, part in [("m1", "snout"), ("m2", "snout"), ("single", "corner")]
            for axis in "xy"
        ],
        names=["scorer", "individuals", "bodyparts", "coords"],
    )
    values = [[1, 2, 3, 4, nan, nan], [nan] * 6, [nan, nan, 5, 6, 7, 8]]
    pd.DataFrame(values, index=pd.Index(["a.png", "b.png", "c.png"]), columns=columns).to_csv(tmp_path / "m.csv")
    a = deeplabcut.read(tmp_path / "m.csv")
    assert (a.names, a.files.tolist()) == (("snout", "corner"), ["a.png", "a.png", "b.png", "c.png", "c.png"])
    gone = [nan, nan]
    np.testing.assert_array_equal(
        a.points, [[[1, 2], gone], [[3, 4], gone], [gone, gone], [[5, 6], gone], [gone, [7, 8]]]
    )
    deeplabcut.write(a, tmp_path / "again.csv")
    same(deeplabcut.read(tmp_path / "again.csv"), a)


@pytest.mark.parametrize("several", [False, True])
def test_what_is_written_opens_in_pandas(tmp_path: Path, several: bool) -> None:
    files = [FILES[0], FILES[0] if several else FILES[1], FILES[2]]
    points = np.array([[[1, 2], [nan, nan]], [[3, 4.25], [0.1, 6]], [[nan, nan]] * 2])
    a = make(tmp_path, files, tuple(PARTS), points)
    assert deeplabcut.write(a, tmp_path / "f.csv") == []
    same(deeplabcut.read(tmp_path / "f.csv"), kept(a, deeplabcut.HOLDS))
    frame = pd.read_csv(tmp_path / "f.csv", header=[0, 1, 2, 3] if several else [0, 1, 2], index_col=[0, 1, 2])
    assert list(frame.index) == [tuple(f.split("/")) for f in dict.fromkeys(files)]
    second = ("kptool", *(("individual2",) if several else ()), "tail base", "x")
    assert frame[second].iloc[0 if several else 1] == 0.1


def test_the_pictures_are_found_in_the_project_or_beside_the_table(tmp_path: Path) -> None:
    single(tmp_path / "moved" / "f.csv", False)
    a = deeplabcut.read(tmp_path / "moved" / "f.csv")
    assert (a.root, a.files.tolist()) == (tmp_path / "moved", FILES)
    text = (tmp_path / "moved" / "f.csv").read_text().replace("other/img1", "reach/img1")
    (tmp_path / "moved" / "f.csv").write_text(text.replace("/", "\\"))
    (tmp_path / "moved" / "img005.png").touch()
    assert deeplabcut.read(tmp_path / "moved" / "f.csv").files.tolist() == ["img005.png", "img012.png", "img1.png"]


HEAD = "scorer,A,A\nbodyparts,n,n\ncoords,x,y\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "d.csv:1: the header rows are not scorer, bodyparts, coords"),
        ("scorer,A,A\ncoords,x,y\na,1,2\n", "d.csv:1: the header rows are not"),
        ("scorer,A,A\nbodyparts,n\ncoords,x,y\n", "d.csv:2: the row has 2 fields, expected 3"),
        ("scorer,A,A\nbodyparts,n,n\ncoords,x,z\n", "d.csv:3: column 3 is 'z' of 'n'"),
        ("scorer,A,A\nbodyparts,n,n\ncoords,x,x\n", "d.csv:3: x of 'n' stands twice"),
        ("scorer,A,A\nbodyparts,n,m\ncoords,x,y\n", "d.csv:3: n has no y"),
        (HEAD + "a,1\n", "d.csv:4: the row has 2 fields"),
        (HEAD + "a,1,\n", "d.csv:4: point n has x and no y"),
        (HEAD + "a,1,b\n", "d.csv:4: y of n is 'b'"),
        (HEAD + ",1,2\n", "d.csv:4: the picture's name is blank"),
        (HEAD + "a,1,2\na,1,2\n", "d.csv:5: a stands in line 4 too"),
        (HEAD + "a,1,2\n/etc/a,1,2\n", "d.csv:5: "),
        ("scorer,A,A,A\nbodyparts,n,n,n\ncoords,x,y,likelihood\n0,1,2,1\n", "d.csv:4: 0 is a frame of a video"),
    ],
)
def test_a_wrong_table_is_refused_by_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "d.csv").write_text(text)
    with pytest.raises(DataError) as caught:
        deeplabcut.read(tmp_path / "d.csv")
    assert str(caught.value).startswith(message), caught.value
