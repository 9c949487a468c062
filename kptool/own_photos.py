"""A user's own photos as a dataset: which pictures, and where the faces in them are."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kptool.crop import whole_images
from kptool.dataset import Dataset, Photos
from kptool.detector import Detect
from kptool.errors import DataError, UsageError
from kptool.formats.annotated import face_ids
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
    whole_paths = list(dict.fromkeys(map(absolute, found)))
    try:
        root = Path(os.path.commonpath([p.parent for p in whole_paths]))
    except ValueError:
        raise UsageError("the pictures stand on several drives", "name those of one at a time") from None
    names = np.array([p.relative_to(root).as_posix() for p in whole_paths], dtype=np.str_)
    photos, faults = open_photos(root, names, "IMAGES")
    return Pictures(photos[np.flatnonzero(photos.sizes.all(1))], faults)


def absolute(path: Path) -> Path:
    """A path from the root, without "..", which no picture's name may hold; other symlinks stay what they are."""
    whole_path = path.absolute()
    if ".." in whole_path.parts:  # behind a symlink it leads elsewhere than the name lets think
        whole_path = Path(os.path.realpath(whole_path.parent)) / whole_path.name
    return Path(os.path.normpath(whole_path))


def by_file(photos: Photos, given: Mapping[str, Sequence[Box]], file: Path) -> tuple[list[Floats], list[Fault]]:
    """The boxes (F, 4) of each picture from a file's, and the pictures for which it has none, or not clearly.

    A name fits the picture that it leads to from the file's folder; where it leads to none of them, the one picture
    whose path ends in it. Of several names that fit a picture the longest is taken.
    """
    home = absolute(file.parent)
    ends: dict[str, list[str]] = {}
    for name in given:
        ends.setdefault(name.rpartition("/")[2], []).append(name)
    paths = [photos.path(row) for row in range(len(photos))]
    exact = {home / name: name for name in given}
    chosen = [exact.get(path) or _longest_end(path, ends.get(path.name, [])) for path in paths]
    uses = Counter(chosen)
    boxes, faults = [], []
    for row, (path, fit) in enumerate(zip(paths, chosen, strict=True)):
        clear = fit is not None and (uses[fit] == 1 or path in exact)
        boxes.append(np.asarray(given[fit] if fit and clear else [], dtype=np.float64).reshape(-1, 4))
        if not clear:
            why = "no box for" if fit is None else f"{fit} may mean {uses[fit]} of the pictures, one is"
            faults.append((row, f"{file}: {why} {photos.files[row]}"))
    return boxes, faults


def _longest_end(path: Path, names: Sequence[str]) -> str | None:
    fits = [name for name in names if path.as_posix().endswith(f"/{name}")]
    return max(fits, key=len, default=None)


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
    return list(whole_images(photos.sizes)[:, None])


def to_dataset(photos: Photos, boxes: Sequence[Floats], schema: Schema) -> Dataset:
    """A row for every box; ids are the pictures' names, with #0, #1, ... where one has several faces."""
    rows = np.repeat(np.arange(len(photos)), [len(b) for b in boxes]).astype(np.int64)
    taken = photos[rows]
    ids = face_ids(taken.files)
    points = np.full((len(rows), len(schema.points), 2), np.nan)
    every = np.concatenate([np.empty((0, 4)), *boxes])
    return Dataset(ids, taken, points, schema, _stamp(photos), boxes=every)


def _stamp(photos: Photos) -> str:
    """Digest of where the pictures stand, how large they are and when they were last written to."""
    digest = hashlib.sha256()
    for path in map(photos.path, range(len(photos))):
        status = path.stat()
        digest.update(os.fsencode(path) + f" {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}\n".encode())
    return digest.hexdigest()
