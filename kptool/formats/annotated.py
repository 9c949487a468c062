"""A competition's photos with their annotations, whatever the format: what `kptool cv` learns from and answers."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Final

import numpy as np

from kptool.annotations import Annotations
from kptool.config import Competition
from kptool.dataset import Dataset, Ints, Mask, Names, Photos
from kptool.errors import DataError, MissingFileError, UsageError, did_you_mean
from kptool.formats import table
from kptool.geometry import Floats
from kptool.photos import digest_files, open_photos
from kptool.schema import Schema

BESIDE: Final = ("pts", "asf")
"""Formats of a label file beside each picture."""


def read_train(competition: Competition, source: Path | None, schema: Schema) -> Dataset:
    """The labelled photos; a picture that cannot be opened is told by `pixels.prepare`.

    Raises:
        UsageError: no source.
        DataError: a fault in the annotations, or points that are not the competition's.
    """
    return to_dataset(_read(competition, source, competition.train), competition, schema)


def read_test(competition: Competition, source: Path | None, schema: Schema) -> Dataset:
    """The photos to be answered, every point NaN. Raises MissingFileError where the competition has none."""
    if not competition.test:
        raise MissingFileError(f"{competition.slug} has no test files", "set test in its competition.toml")
    found = _read(competition, source, competition.test, blind=True)
    blank = np.full((len(found), len(schema.points), 2), np.nan)
    return _dataset(found, competition, schema, blank, np.zeros(blank.shape[:2], dtype=np.bool_))


def to_dataset(found: Annotations, competition: Competition, schema: Schema) -> Dataset:
    """Annotations as a Dataset of the competition's points.

    Raises:
        DataError: points that are missing, or a name that tells no person.
    """
    columns = _columns(found, competition.schema_of_files, schema)
    return _dataset(found, competition, schema, found.points[:, columns], found.occluded[:, columns])


def _dataset(found: Annotations, competition: Competition, schema: Schema, points: Floats, occluded: Mask) -> Dataset:
    opened, _ = open_photos(found.root, found.files, competition.slug)
    # What the file says of a picture that cannot be opened still places its mean face in a submission.
    photos = Photos(opened.root, opened.files, np.where(opened.sizes == 0, found.sizes, opened.sizes))
    boxes = found.boxes if np.isfinite(found.boxes).any() else None
    content = hashlib.sha256(digest_files(found.root, found.files).encode())
    content.update(json.dumps(found.files.tolist()).encode())  # which row shows which file
    for array in (points, occluded, found.boxes):
        content.update(np.ascontiguousarray(array).tobytes())
    content.update(" ".join(schema.points).encode())
    return Dataset(
        ids=face_ids(found.files),
        images=photos,
        points=points,
        schema=schema,
        digest=content.hexdigest(),
        groups=_groups(found.files, competition.person),
        boxes=boxes,
        occluded=occluded,
    )


def _read(competition: Competition, source: Path | None, part: str, blind: bool = False) -> Annotations:
    if source is None:
        raise UsageError(
            f"the files of {competition.slug} are not shipped: it needs --data DIR",
            f"get them from {competition.source}" if competition.source else "name their folder",
        )
    path = source / part if part else source
    if not path.exists():
        raise MissingFileError(f"{path}: no such file or folder", f"{competition.slug} names it; check --data")
    named = table.get(competition.format)
    # A folder to be answered is its pictures, whatever stray label stands beside one of them.
    bare = path.is_dir() and (not named.sniff(path) or (blind and competition.format in BESIDE))
    return (table.get("images") if bare else named).read(path)


def _columns(found: Annotations, files: Schema, schema: Schema) -> list[int]:
    """Where each point of `schema` stands in the file: by name, or by number where the file only counts."""
    if set(schema.points) <= set(found.names):
        return [found.names.index(point) for point in schema.points]
    if all(name.isdigit() for name in found.names) and len(found.names) == len(files.points):
        return [files.index(point) for point in schema.points]  # the files only count
    missing = next(point for point in schema.points if point not in found.names)
    raise DataError(
        f"{found.root}: the annotations have {len(found.names)} points and none called '{missing}'",
        did_you_mean(missing, found.names) if found.names else f"{files.name} wants {len(files.points)} points",
    )


def face_ids(files: Names) -> Names:
    """(N,) the pictures' names; where one shows several faces, with #0, #1, ... in file order."""
    counts, taken, seen = Counter(files.tolist()), set(files.tolist()), Counter[str]()
    out = []
    for name in files.tolist():
        face = name
        while counts[name] > 1 and face in taken:  # a file may really be called so
            face = f"{name}#{seen[name]}"
            seen[name] += 1
        taken.add(face)
        out.append(face)
    return np.array(out, dtype=np.str_)


def _groups(files: Names, person: str) -> Ints:
    """(N,) rows of one person, or else of one picture, share a number.

    Raises:
        DataError: the pattern does not fit a picture's name.
    """
    keys = files.tolist()
    if person:
        found = [re.search(person, name) for name in keys]
        for name, match in zip(keys, found, strict=True):
            if match is None:
                raise DataError(f"{name}: the pattern person = '{person}' finds nobody in it", "mend competition.toml")
        keys = [match.group(1) for match in found if match is not None]
    return np.asarray(np.unique(np.array(keys), return_inverse=True)[1], dtype=np.int64).reshape(-1)
