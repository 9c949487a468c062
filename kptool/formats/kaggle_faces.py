"""Kaggle's Facial Keypoints Detection files: training.csv, test.csv, IdLookupTable.csv and SampleSubmission.csv.

training.csv has a column per coordinate (blank = not labelled) and Image, 9216 grey values row by row; test.csv has
ImageId and Image. Columns are found by name. The first read decodes the images and keeps them in the cache; every
later one hashes the file and maps the cached array.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from kptool.dataset import Dataset, Ints, Lookup
from kptool.errors import DataError, UsageError, did_you_mean
from kptool.files import cache_folder
from kptool.formats.cache import Kept, cached
from kptool.formats.image_csv import IMAGE, Table, parse
from kptool.formats.lines import check_columns, read_cells, show
from kptool.formats.source import Member, find, hashed, look
from kptool.geometry import Floats
from kptool.schema import Schema

FILES = ("training.csv", "test.csv", "IdLookupTable.csv", "SampleSubmission.csv")
SIZE = (96, 96)
READER = 1
"""Part of the cache key: raise it when the same bytes would be read differently."""

BLOCK = 1 << 18
"""Bytes read at a time: arrays of this size stay in the CPU's cache."""


def read_train(source: Path | None, schema: Schema) -> Dataset:
    """training.csv as N images (N, 1, 96, 96) uint8, memory-mapped, with ids "1" to "N", the rows' numbers.

    Args:
        source: a folder, a zip or training.csv itself, see `source.look`.
        schema: its points are the columns that must be there; points come in its order, NaN where blank.

    Raises:
        UsageError: no source.
        DataError: no such file, or its first fault as `training.csv:LINE: COLUMN ...`.
    """
    member = find(_given(source), FILES[0], FILES)
    table = _read(member, schema.columns, "a number or blank")
    order = [table.columns.index(name) for name in schema.columns]
    points = table.numbers[:, order].reshape(-1, len(schema.points), 2)
    _refuse_half_points(points, schema, member.place)
    ids = np.arange(1, len(points) + 1).astype(np.str_)
    return Dataset(ids, table.images[:, None], points, schema, table.digest)


def read_test(source: Path | None, schema: Schema) -> Dataset:
    """test.csv as images (N, 1, 96, 96) uint8, memory-mapped, with ids from ImageId and every point NaN.

    Raises:
        UsageError: no source.
        DataError: no such file, or its first fault, such as an ImageId that is no whole number or stands twice.
    """
    member = find(_given(source), FILES[1], FILES)
    table = _read(member, ("ImageId",), "a whole number")
    texts = ("" if np.isnan(v) else f"{v:.17g}" for v in table.numbers[:, 0])
    ids = _unique_ids(texts, "ImageId", member.place)
    points = np.full((len(ids), len(schema.points), 2), np.nan)
    return Dataset(ids.astype(np.str_), table.images[:, None], points, schema, table.digest)


def read_lookup(source: Path | None, test: Dataset) -> Lookup:
    """IdLookupTable.csv: which coordinate of which test image each RowId asks for.

    Raises:
        UsageError: no source.
        DataError: no such file, or its first fault, such as an unknown ImageId or FeatureName or a RowId that stands
            twice, as `IdLookupTable.csv:LINE: ...`.
    """
    member = find(_given(source), FILES[2], FILES)
    images = {name: row for row, name in enumerate(test.ids.tolist())}
    columns = {name: i for i, name in enumerate(test.schema.columns)}
    rows: list[str] = []
    image: list[int] = []
    column: list[int] = []
    hasher = hashlib.sha256()
    chunks = hashed(member.chunks(BLOCK), hasher)
    needed = ("RowId", "ImageId", "FeatureName")
    for line, (row, name, feature) in read_cells(chunks, member.place, needed, ("Location",)):
        where = f"{member.place}:{line}"
        if name not in images:
            raise DataError(f"{where}: ImageId {show(name)} is not in {FILES[1]}", "take both files from one download")
        if feature not in columns:
            raise DataError(f"{where}: unknown FeatureName {show(feature)}", did_you_mean(feature, columns))
        rows.append(row)
        image.append(images[name])
        column.append(columns[feature])
    ids = _unique_ids(rows, "RowId", member.place)
    point, axis = np.divmod(np.array(column, dtype=np.int64), 2)
    return Lookup(ids, np.array(image, dtype=np.int64), point, axis, hasher.hexdigest())


def read_sample(source: Path | None) -> Ints | None:
    """The RowIds (R,) of SampleSubmission.csv in its order, or None where there is no such file.

    Raises:
        UsageError: no source.
        DataError: a fault in the file, with its line.
    """
    member = look(_given(source), FILES[3], FILES)
    if member is None:
        return None
    rows = read_cells(member.chunks(BLOCK), member.place, ("RowId",), ("Location",))
    return _unique_ids((row for _, (row,) in rows), "RowId", member.place)


def _given(source: Path | None) -> Path:
    if source is None:
        raise UsageError(
            "these competition files are not shipped: the kaggle-faces format needs --data DIR",
            "get them with: kaggle competitions download -c facial-keypoints-detection",
        )
    return source


def _read(member: Member, wanted: Sequence[str], expected: str) -> Kept:
    stamp, key = member.stamp(), member.key()

    def make() -> tuple[Table, str]:
        hasher = hashlib.sha256()
        # A plain file's digest is its key already; only what comes out of a zip is hashed on the way.
        chunks = hashed(member.chunks(BLOCK), hasher) if member.inside else member.chunks(BLOCK)
        table = parse(chunks, member.place, wanted, SIZE, expected)
        if member.stamp() != stamp:
            raise DataError(f"{member.place}: the file changed while it was read", "repeat when it is complete")
        return table, hasher.hexdigest() if member.inside else key

    kept = cached(cache_folder() / "kaggle-faces" / f"{key}-r{READER}", make)
    # It may have been kept for another competition's columns; this one's must hold too.
    check_columns([*kept.columns, IMAGE], [*wanted, IMAGE], member.place)
    return kept


def _refuse_half_points(points: Floats, schema: Schema, place: str) -> None:
    given = np.isfinite(points)
    half = np.argwhere(given[..., 0] != given[..., 1])
    if len(half):
        row, point = half[0]
        name = schema.points[point]
        blank, other = ("x", "y") if given[row, point, 1] else ("y", "x")
        value = points[row, point, "xy".index(other)]
        raise DataError(
            f"{place}:{row + 2}: {name}_{blank} is blank but {name}_{other} is {value:g}",
            "give both coordinates or leave both blank",
        )


def _unique_ids(texts: Iterable[str], column: str, place: str) -> Ints:
    """Whole numbers that stand once each, from the rows of a table that begin on line 2."""
    seen: dict[int, int] = {}
    for line, text in enumerate(texts, 2):
        if not (text.isascii() and text.isdigit() and len(text) <= 15):
            raise DataError(f"{place}:{line}: {column} is {show(text)}, expected a whole number", "correct the cell")
        if (number := int(text)) in seen:
            raise DataError(f"{place}:{line}: {column} {number} stands on line {seen[number]} too", "keep one of them")
        seen[number] = line
    return np.array(list(seen), dtype=np.int64)
