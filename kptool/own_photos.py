"""A user's own photos as a dataset: which pictures, and where the faces in them are."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kptool.dataset import Dataset, Names, Photos
from kptool.detector import Detect
from kptool.errors import DataError, UsageError
from kptool.formats.boxes import Box
from kptool.geometry import Floats
from kptool.photos import SUFFIXES, decode, open_photos
from kptool.pixels import Fault, Tick
from kptool.schema import Schema


class Pictures(NamedTuple):
    """Pictures named on a command line.

    Attributes:
        photos: (P,) distinct pictures that can be opened.
        faults: those that cannot, each with the reason.
    """

    photos: Photos
    faults: list[Fault]


def collect(paths: Sequence[Path]) -> Pictures:
    """The pictures of files and folders (searched to the bottom, sorted), each once.

    Raises:
        UsageError: nothing there, or a folder without pictures.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
            if not inside:
                raise UsageError(f"{path}: no pictures in this folder", f"known endings: {', '.join(sorted(SUFFIXES))}")
            found += inside
        else:
            found.append(path)
    absolute = list(dict.fromkeys(Path.cwd() / p for p in found))
    root = Path(os.path.commonpath([p.parent for p in absolute]))
    names = np.array([p.relative_to(root).as_posix() for p in absolute], dtype=np.str_)
    photos, faults = open_photos(root, names, "IMAGES")
    return Pictures(photos[np.flatnonzero(photos.sizes.all(1))], faults)


def by_file(photos: Photos, given: Mapping[str, Sequence[Box]], place: str) -> list[Floats]:
    """The boxes (F, 4) of each picture from a file's; a name fits by its end, as far as it goes.

    Raises:
        DataError: a picture that the file does not know, or two names that fit one picture.
    """
    out = []
    for row in range(len(photos)):
        parts = photos.path(row).parts
        fits = [name for name in given if parts[-len(Path(name).parts) :] == Path(name).parts]
        longest = [name for name in fits if len(Path(name).parts) == max(len(Path(f).parts) for f in fits)]
        if len(longest) != 1:
            why = "no box for this picture" if not longest else f"{len(longest)} names fit this picture"
            raise DataError(f"{place}: {why}: {photos.files[row]}", "name it there as it is called here")
        out.append(np.asarray(given[longest[0]], dtype=np.float64))
    return out


def by_detector(photos: Photos, detect: Detect, tick: Tick | None = None) -> tuple[list[Floats], list[Fault]]:
    """The boxes (F, 4) of the faces a detector finds in each picture, and the pictures that cannot be decoded."""
    out, faults = [], []
    for row in range(len(photos)):
        try:
            out.append(detect(decode(photos.path(row), 3).pixels))
        except DataError as error:
            out.append(np.empty((0, 4)))
            faults.append((row, str(error)))
        if tick:
            tick(row + 1, len(photos))
    return out, faults


def whole(photos: Photos) -> list[Floats]:
    """One box (1, 4) a picture: all of it."""
    return [np.array([[0.0, 0.0, *size]]) for size in photos.sizes.astype(np.float64)]


def to_dataset(photos: Photos, boxes: Sequence[Floats], schema: Schema) -> Dataset:
    """A row for every box; ids are the pictures' names, with #0, #1, ... where one has several faces."""
    rows = np.repeat(np.arange(len(photos)), [len(b) for b in boxes]).astype(np.int64)
    taken = photos[rows]
    ids = _ids(photos.files, [len(b) for b in boxes])
    points = np.full((len(rows), len(schema.points), 2), np.nan)
    every = np.concatenate([np.empty((0, 4)), *boxes])
    stamp = [f"{p} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in map(taken.path, range(len(taken)))]
    return Dataset(ids, taken, points, schema, "own photos " + " ".join(stamp), boxes=every)


def _ids(files: Names, counts: Sequence[int]) -> Names:
    each = (
        [name] if count == 1 else [f"{name}#{n}" for n in range(count)]
        for name, count in zip(files.tolist(), counts, strict=True)
    )
    return np.array([name for names in each for name in names], dtype=np.str_)
