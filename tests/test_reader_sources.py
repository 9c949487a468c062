"""Where the reader finds a file and what it keeps: every packing reads the same, and the cache never lies."""

from __future__ import annotations

import os
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kaggle_files import SCHEMA, faces, kaggle_zip, write_faces, zip_of

from kptool.dataset import Dataset
from kptool.errors import DataError, UsageError
from kptool.formats import kaggle_faces
from kptool.formats.image_csv import Table, parse
from kptool.formats.source import find, look
from kptool.schema import make_schema


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("KPTOOL_CACHE", str(folder))
    return folder


def read_all(source: Path) -> tuple[Dataset, Dataset, list[object]]:
    train, test = kaggle_faces.read_train(source, SCHEMA), kaggle_faces.read_test(source, SCHEMA)
    lookup, sample = kaggle_faces.read_lookup(source, test), kaggle_faces.read_sample(source)
    assert sample is not None
    return train, test, [lookup.row_ids.tolist(), lookup.image.tolist(), lookup.digest, sample.tolist()]


def test_every_packing_reads_the_same(tmp_path: Path) -> None:
    folder = write_faces(tmp_path / "plain")
    expected = read_all(folder)
    zips, below = tmp_path / "zips", tmp_path / "below"
    for made in (zips, below / "training", below / "test"):
        made.mkdir(parents=True)
    for stem in ("training", "test"):
        zip_of(
            zips / f"{stem}.zip",
            {f"__MACOSX/{stem}.csv": b"", f"sub/{stem}.csv": (folder / f"{stem}.csv").read_bytes()},
        )
        (below / stem / f"{stem}.csv").write_bytes((folder / f"{stem}.csv").read_bytes())
    for name in ("IdLookupTable.csv", "SampleSubmission.csv"):
        for made in (zips, below):
            (made / name).write_bytes((folder / name).read_bytes())
    lone = tmp_path / "lone"
    lone.mkdir()
    sources = [
        kaggle_zip(folder, tmp_path / "fkd.zip"),
        kaggle_zip(folder, tmp_path / "stored.zip", zipfile.ZIP_STORED),
        kaggle_zip(folder, lone / "whatever.zip").parent,
        *(folder / "training.csv", zips, zips / "training.zip", zips / "test.zip", below),
    ]
    for source in sources:
        for mine, theirs in zip(read_all(source), expected, strict=True):
            if isinstance(mine, Dataset) and isinstance(theirs, Dataset):
                assert mine.digest == theirs.digest
                np.testing.assert_array_equal(mine.pixels, theirs.pixels)
                np.testing.assert_array_equal(mine.points, theirs.points)
            else:
                assert mine == theirs


def test_messages_name_the_zip_and_the_member(tmp_path: Path) -> None:
    write_faces(tmp_path / "bad", [*faces()[:3], ["x", *faces()[3][1:]]])
    path = kaggle_zip(tmp_path / "bad", tmp_path / "fkd.zip")
    with pytest.raises(DataError, match=r"^fkd\.zip/training\.zip/training\.csv:4: left_eye_x is 'x'"):
        kaggle_faces.read_train(path, SCHEMA)


def test_a_missing_file_names_what_was_sought_and_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "data.csv").write_text("x")
    path = zip_of(tmp_path / "other.zip", {"a.csv": b"1"})
    for source, words in (
        (tmp_path, ("no training.csv here", "only data.csv, notes.txt, other.zip")),
        (path, ("no training.csv here", "only a.csv")),
        (tmp_path / "data.csv", ("looked for training.csv, a zip or a folder",)),
        (tmp_path / "absent", ("no such file or folder",)),
    ):
        with pytest.raises(DataError) as caught:
            kaggle_faces.read_train(source, SCHEMA)
        assert str(caught.value).startswith(str(source))
        assert all(word in str(caught.value) for word in words)


def test_another_zip_never_borrows_from_its_folder(tmp_path: Path) -> None:
    write_faces(tmp_path)
    assert look(zip_of(tmp_path / "mine.zip", {"a.csv": b""}), "training.csv", kaggle_faces.FILES) is None
    twice = zip_of(tmp_path / "two.zip", {"a/training.csv": b"", "b/training.csv": b""})
    with pytest.raises(DataError, match=r"holds training\.csv twice, as a/training\.csv and b/training\.csv"):
        find(twice, "training.csv", kaggle_faces.FILES)


def test_what_was_given_wins_over_what_lies_beside_it(tmp_path: Path) -> None:
    one, other = write_faces(tmp_path / "one", faces(seed=1)), write_faces(tmp_path / "other", faces(seed=2))
    packed = zip_of(one / "training.zip", {"training.csv": (other / "training.csv").read_bytes()})
    digests = [kaggle_faces.read_train(source, SCHEMA).digest for source in (one, packed, other)]
    assert digests[1] == digests[2] != digests[0]
    assert len(kaggle_faces.read_test(packed, SCHEMA)) == len(faces()) - 1


def test_a_truncated_zip_is_named(tmp_path: Path) -> None:
    whole = kaggle_zip(write_faces(tmp_path / "plain"), tmp_path / "training.zip").read_bytes()
    for length in (0, 1, 30, 999, len(whole) // 2, len(whole) - 30, len(whole) - 1):
        (tmp_path / "training.zip").write_bytes(whole[:length])
        for source in (tmp_path, tmp_path / "training.zip"):
            with pytest.raises(DataError) as caught:
                kaggle_faces.read_train(source, SCHEMA)
            assert str(caught.value) == "training.zip: truncated or damaged zip; download it again"


def test_a_damaged_zip_reads_right_or_stops_with_one_line(tmp_path: Path) -> None:
    rng = random.Random(5)
    data = b"RowId,Location\n" + b"".join(b"%d,0\n" % i for i in range(400))
    inner = zip_of(tmp_path / "inner.zip", {"SampleSubmission.csv": data}).read_bytes()
    lines = []
    for _ in range(300):
        broken = bytearray(zip_of(tmp_path / "outer.zip", {"SampleSubmission.zip": inner}).read_bytes())
        for _ in range(rng.randint(1, 3)):
            broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
        (tmp_path / "outer.zip").write_bytes(broken)
        try:
            rows = kaggle_faces.read_sample(tmp_path / "outer.zip")
        except DataError as error:
            lines.append(str(error))
        else:
            assert rows is None or rows.tolist() == list(range(400))
    assert len(lines) > 150
    assert not any("\n" in line for line in lines)


def forbid_parse(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Table:
        raise AssertionError("parsed again")

    monkeypatch.setattr(kaggle_faces, "parse", fail)


def test_the_second_read_comes_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_faces(tmp_path / "plain")
    packed = kaggle_zip(folder, tmp_path / "fkd.zip")
    first = kaggle_faces.read_train(folder, SCHEMA)
    kaggle_faces.read_train(packed, SCHEMA)
    with monkeypatch.context() as patch:
        forbid_parse(patch)
        for source in (folder, packed):
            again = kaggle_faces.read_train(source, SCHEMA)
            assert isinstance(again.pixels, np.memmap)
            assert again.digest == first.digest
            np.testing.assert_array_equal(again.pixels, first.pixels)
            np.testing.assert_array_equal(again.points, first.points)
        other = make_schema("two", ["left_eye", "nose"])
        with pytest.raises(DataError, match="unknown column 'chin_x'"):
            kaggle_faces.read_train(folder, other)
    # One byte changed, size and time kept: contents decide.
    path = folder / "training.csv"
    before = path.stat()
    data = path.read_bytes()
    path.write_bytes(data[:-2] + (b"1" if data[-2:-1] != b"1" else b"2") + data[-1:])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    changed = kaggle_faces.read_train(folder, SCHEMA)
    assert changed.digest != first.digest
    assert changed.pixels[-1, 0, -1, -1] != first.pixels[-1, 0, -1, -1]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "images flipped": lambda entry: flip(entry / "images.npy"),
    "images cut": lambda entry: (entry / "images.npy").write_bytes((entry / "images.npy").read_bytes()[:5000]),
    "numbers flipped": lambda entry: flip(entry / "numbers.npy"),
    "numbers gone": lambda entry: (entry / "numbers.npy").unlink(),
    "record gone": lambda entry: (entry / "entry.json").unlink(),
    "record cut": lambda entry: (entry / "entry.json").write_text("{"),
    "record of another shape": lambda entry: (entry / "entry.json").write_text('{"files": []}'),
}


def test_a_file_written_to_while_it_is_read_is_refused(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_faces(tmp_path) / "training.csv"

    def touch(*args: Any) -> Table:
        os.utime(path, ns=(7, 7))
        return parse(*args)

    monkeypatch.setattr(kaggle_faces, "parse", touch)
    with pytest.raises(DataError, match="the file changed while it was read"):
        kaggle_faces.read_train(tmp_path, SCHEMA)
    assert not list(cache.rglob("*.json"))


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_entry_is_built_again(name: str, tmp_path: Path, cache: Path) -> None:
    folder = write_faces(tmp_path)
    first = kaggle_faces.read_train(folder, SCHEMA)
    images, points = first.pixels.copy(), first.points.copy()
    (entry,) = (cache / "kaggle-faces").iterdir()
    DAMAGE[name](entry)
    again = kaggle_faces.read_train(folder, SCHEMA)
    np.testing.assert_array_equal(again.pixels, images)
    np.testing.assert_array_equal(again.points, points)
    assert sorted(path.name for path in entry.iterdir()) == ["entry.json", "images.npy", "numbers.npy"]


def test_a_refused_file_leaves_no_entry(tmp_path: Path, cache: Path) -> None:
    write_faces(tmp_path, [*faces()[:3], ["x", *faces()[3][1:]]])
    with pytest.raises(DataError):
        kaggle_faces.read_train(tmp_path, SCHEMA)
    assert not list(cache.rglob("*.json"))


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_faces(tmp_path / "data")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KPTOOL_CACHE", str(tmp_path / "file"))
    with pytest.raises(UsageError, match="KPTOOL_CACHE"):
        kaggle_faces.read_train(folder, SCHEMA)
