"""Law: every format gives back what it holds, is found by its looks, and comes through every other unharmed."""

from __future__ import annotations

import subprocess
import sys
import typing
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from awkward import SIZES, awkward, place, same, with_pictures

from kptool.annotations import kept, lost, make
from kptool.config import Competition
from kptool.errors import DataError, MissingFileError, UsageError
from kptool.formats import images, table

MODULES = {"csv": "csv_wide", "csv-long": "csv_long"}
WRITTEN = [n for n in table.NAMES if n != "images" and find_spec(f"kptool.formats.{MODULES.get(n, n)}") is not None]


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_written_is_read_again_and_found_by_its_looks(tmp_path: Path, name: str) -> None:
    root = tmp_path / "images"
    a, named, path = awkward(root), table.get(name), place(root, name)
    told = named.write(a, path)
    general = [line.partition(" cannot hold ")[2] for line in lost(a, named.holds, name)]
    assert [line.partition(" cannot hold ")[2] for line in told][: len(general)] == general
    back = named.read(path)
    same(back, kept(a, named.holds))
    assert back.root.resolve() == root.resolve()
    assert table.sniff(path) == name


@pytest.mark.parametrize("second", WRITTEN)
@pytest.mark.parametrize("first", WRITTEN)
def test_there_and_back_through_another_format(tmp_path: Path, first: str, second: str) -> None:
    a = awkward(tmp_path / "0" / "images")
    one, two = table.get(first), table.get(second)
    now, expected = a, a
    for step, named in enumerate((one, two, one), 1):
        expected = kept(expected, named.holds)
        path = place(with_pictures(tmp_path / str(step) / "images", expected), named.name)
        named.write(now, path)
        now = named.read(path)
    assert len(now) > 2
    same(now, expected)


def test_the_names_are_those_a_competition_may_give() -> None:
    known = typing.get_args(Competition.model_fields["format"].annotation)
    assert set(known) - {"kaggle-faces", "drawn-faces", "lfw-pairs"} == set(table.NAMES)
    assert set(table.FOLDERS) | set(table.ENDINGS.values()) <= set(table.NAMES)


def test_importing_the_table_imports_no_format() -> None:
    probe = "import sys, kptool.formats.table; print([m for m in sys.modules if m.startswith('kptool.formats.')])"
    out = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "['kptool.formats.table']"


def test_an_unknown_name_gets_the_closest() -> None:
    with pytest.raises(UsageError, match="did you mean 'deeplabcut'"):
        table.get("deeplabcutt")


def test_a_folder_of_pictures_is_images_in_the_order_of_names(tmp_path: Path) -> None:
    awkward(tmp_path)
    for hidden in (tmp_path / ".thumbs" / "x.png", tmp_path / "._c.png", tmp_path / "notes.txt"):
        hidden.parent.mkdir(exist_ok=True)
        hidden.write_bytes(b"x")
    assert table.sniff(tmp_path) == "images"
    a = images.read(tmp_path)
    assert a.files.tolist() == sorted(SIZES)
    assert a.points.shape == (5, 0, 2)
    same(a, kept(a, images.HOLDS))
    with pytest.raises(UsageError, match="nothing to write"):
        images.write(a, tmp_path)


def test_pictures_without_points_come_through_the_formats_that_hold_them(tmp_path: Path) -> None:
    root = tmp_path / "images"
    awkward(root)
    a = images.read(root)
    for name in ("csv", "csv-long", "deeplabcut"):
        path = place(root, name)
        table.get(name).write(a, path)
        same(table.get(name).read(path), a)
        assert table.sniff(path) == name


@pytest.mark.parametrize("name", WRITTEN)
def test_no_sniffer_raises_whatever_it_is_shown(tmp_path: Path, name: str) -> None:
    sniff = table.get(name).sniff
    for file, data in {
        "a.csv": b"\xff\xfe\x00\x00", "b.csv": b'"', "c.csv": b"", "d.csv": b"\n\n", "e.xml": b"<", "f.json": b"[",
        "g.txt": b"\0" * 99, "h.pts": b"", "i.asf": b"", "j.csv": b"scorer\n", "k.csv": b'a,"' + b"x" * 300_000,
    }.items():  # fmt: skip
        (tmp_path / file).write_bytes(data)
        assert not sniff(tmp_path / file), file
    (tmp_path / "empty").mkdir()
    assert not sniff(tmp_path / "empty")
    assert not sniff(tmp_path / "nothing here")


def test_what_fits_no_format_or_two_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such"):
        table.sniff(tmp_path / "x.csv")
    (tmp_path / "x.csv").write_text("a;b;c\n1;2;3\n")
    with pytest.raises(DataError, match="--from: dlib, pts"):
        table.sniff(tmp_path / "x.csv")
    (tmp_path / "both").mkdir()
    a = make(tmp_path / "both", ["a.png"], ("00",), np.ones((1, 1, 2)), sizes=np.array([[4, 4]]))
    for name in ("pts", "asf"):
        table.get(name).write(a, tmp_path / "both")
    with pytest.raises(UsageError, match="looks like pts and like asf; say which, as in --from pts"):
        table.sniff(tmp_path / "both")
