"""Law: no name leaves its folder, every bad row is told once, and many at once find what one by one does."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from picture_files import drawn
from PIL import Image

from kptool.errors import DataError
from kptool.photos import SUFFIXES, decode, digest_files, inside, open_photos, read_header


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("a.jpg", "a.jpg"),
        ("./a//b.jpg", "a/b.jpg"),
        ("a/./b.jpg", "a/b.jpg"),
        ("a b/ü é.jpg", "a b/ü é.jpg"),
        ("..a/b..jpg", "..a/b..jpg"),
        ("...", "..."),
        ("12:30.jpg", "12:30.jpg"),
        ("a/C:/b.jpg", "a/C:/b.jpg"),
    ],
)
def test_names_are_cleaned(name: str, clean: str) -> None:
    assert inside(Path("/data"), name, "x.csv:2") == clean
    assert inside(Path("/data"), clean, "x.csv:2") == clean


@pytest.mark.parametrize(
    "name",
    ["", ".", "./", "/", "/etc/passwd", "//host/a.jpg", "..", "../a.jpg", "a/../b.jpg", "a/..", "./../a.jpg",
     "C:a.jpg", "c:/a.jpg", "./C:/a.jpg", "C:\\a.jpg", "a\\b.jpg", "..\\a.jpg", "\\\\host\\a.jpg",
     "a\0.jpg", "a\n.jpg", "a\x1b[2J.jpg", "a\x7f.jpg", "a\x85.jpg", "a\u2028.jpg", "a\ud800.jpg"],
)  # fmt: skip
def test_names_that_leave_are_refused(name: str) -> None:
    with pytest.raises(DataError) as caught:
        inside(Path("/data"), name, "x.csv:2")
    told = str(caught.value)
    assert told.startswith("x.csv:2: picture name ")
    assert repr(name) in told
    assert told.isprintable()  # one line, and nothing that a terminal would obey


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    for index, name in enumerate(["a.png", "b.jpg", "sub/c.webp"]):
        Image.fromarray(drawn(31 + index, 17 + 2 * index)).save(tmp_path / name)
    (tmp_path / "d.png").write_bytes(b"no picture")
    return tmp_path


FILES = np.array(["b.jpg", "no.jpg", "a.png", "../x.png", "./sub//c.webp", "b.jpg", "d.png", "no.jpg"])


def test_photos_of_all_rows_and_the_bad_ones(folder: Path) -> None:
    photos, bad = open_photos(folder, FILES, "x.csv")
    assert photos.root == folder
    assert photos.files.tolist() == [*FILES[:4], "sub/c.webp", *FILES[5:]]
    none = [0, 0]
    assert photos.sizes.tolist() == [[32, 19], none, [31, 17], none, [33, 21], [32, 19], none, none]
    assert [row for row, _ in bad] == [1, 3, 6, 7]
    for (_, told), start in zip(
        bad, [f"{folder}/no.jpg: ", "x.csv: picture name '../x.png' ", f"{folder}/d.png: ", f"{folder}/no.jpg: "],
        strict=True,
    ):  # fmt: skip
        assert told.startswith(start)
        assert told.isprintable()


def test_no_rows_are_no_photos(folder: Path) -> None:
    photos, bad = open_photos(folder, np.array([], dtype=np.str_), "x.csv")
    assert (len(photos), photos.sizes.shape, bad) == (0, (0, 2), [])


def test_a_folder_may_be_a_link_to_another_disk(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("disk")
    shutil.copy(folder / "a.png", elsewhere / "e.png")
    (folder / "link").symlink_to(elsewhere, target_is_directory=True)
    assert open_photos(folder, np.array(["link/e.png"]), "x.csv")[0].sizes.tolist() == [[31, 17]]


def test_each_header_is_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def noted(path: Path) -> object:
        read.append(path.name)
        return read_header(path)

    monkeypatch.setattr("kptool.photos.folder.read_header", noted)
    open_photos(folder, FILES, "x.csv")
    assert sorted(read) == ["a.png", "b.jpg", "c.webp", "d.png", "no.jpg"]


def test_many_at_once_decode_what_one_does(tmp_path: Path) -> None:
    paths = []
    for index in range(24):
        paths.append(tmp_path / f"{index}.{('jpg', 'png', 'webp', 'tif')[index % 4]}")
        Image.fromarray(drawn(40 + 3 * index, 90 - index)).save(paths[-1])
    alone = [decode(path, 3, 0.4) for path in paths]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda path: decode(path, 3, 0.4), paths))
    for one, other in zip(alone, together, strict=True):
        assert_array_equal(one.pixels, other.pixels)
        assert_array_equal(one.from_original.matrix, other.from_original.matrix)


def test_the_digest_is_of_names_and_contents_in_order(folder: Path) -> None:
    first = digest_files(folder, FILES)
    assert len(first) == 64
    assert digest_files(folder, FILES[:-1]) == first  # a repeated row is no other file
    assert digest_files(folder, FILES[::-1]) != first
    assert digest_files(folder, FILES[2:]) != first
    shutil.copy(folder / "a.png", folder / "z.png")
    assert digest_files(folder, np.array(["z.png"])) != digest_files(folder, np.array(["a.png"]))
    (folder / "no.jpg").write_bytes(b"")
    second = digest_files(folder, FILES)
    assert second != first
    (folder / "d.png").write_bytes(b"no Picture")
    assert digest_files(folder, FILES) != second


def test_the_digest_never_looks_outside(folder: Path) -> None:
    inner = folder / "sub"
    before = digest_files(inner, np.array(["../a.png"]))
    (folder / "a.png").write_bytes(b"changed")
    assert digest_files(inner, np.array(["../a.png"])) == before


def test_suffixes_are_lower_case_and_read(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        assert suffix == suffix.lower()
        Image.new("L" if suffix == ".pgm" else "RGB", (5, 3)).save(tmp_path / f"a{suffix}")
        assert read_header(tmp_path / f"a{suffix}").size == (5, 3)
