"""A folder of pictures without labels: every picture in it and below, in the order of their names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn

import numpy as np

from kptool.annotations import Annotations, Holds, make
from kptool.errors import DataError, MissingFileError, UsageError
from kptool.photos import SUFFIXES

HOLDS: Final = Holds(
    names=False, boxes=False, occluded=False, missing=False, several=False, sizes=False, edges=False
)  # fmt: skip


def sniff(path: Path) -> bool:
    """Whether a folder has a picture in it or below, whatever else it holds; the other formats are asked first."""
    return path.is_dir() and next(_pictures(path), None) is not None


def read(path: Path) -> Annotations:
    """A row without points (K = 0) for every picture of a folder, sorted by name; hidden files are left out.

    Raises:
        MissingFileError: no such folder.
        DataError: a file, or a folder without a picture.
    """
    if not path.exists():
        raise MissingFileError(f"{path}: no such folder", "check the path")
    if not path.is_dir():
        raise DataError(f"{path}: a file, expected a folder of pictures", "name the folder")
    files = sorted(_pictures(path))
    if not files:
        raise DataError(f"{path}: no picture in it", f"pictures end in {', '.join(sorted(SUFFIXES))}")
    return make(path, files, (), np.empty((len(files), 0, 2)))


def write(annotations: Annotations, path: Path) -> NoReturn:
    """Nothing can be written into bare pictures.

    Raises:
        UsageError: always.
    """
    del annotations
    raise UsageError(
        f"{path}: a folder of pictures holds no labels, so there is nothing to write", "choose another --to"
    )


def _pictures(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield (Path(folder) / name).relative_to(root).as_posix()
