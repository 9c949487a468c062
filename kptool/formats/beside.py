"""Label files that stand beside their pictures, one each: `01-1m.asf` beside `01-1m.jpg`, in a folder or below it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path, PurePosixPath

import numpy as np

from kptool.dataset import Names
from kptool.errors import DataError, MissingFileError
from kptool.formats.digits import decode_numbers, strict_number
from kptool.formats.text_file import first_bytes
from kptool.geometry import Floats
from kptool.photos import SUFFIXES, inside

LOOKED_AT = 20_000
"""Names that `any_label` looks at before it gives up: sniffing must stay cheap in a home folder."""


@dataclass(frozen=True)
class Beside:
    """What stands in a folder, by name. Hidden files and folders (a leading dot) are no part of it.

    Attributes:
        root: the folder that names are relative to.
        labels: names of the label files.
        pictures: names of the pictures, by their name without its ending.
    """

    root: Path
    labels: list[str]
    pictures: dict[str, list[str]]

    def picture(self, stem: str, place: str) -> str:
        """The one picture of that name, whatever its ending.

        Raises:
            DataError: there is none, or more than one; begins with `place`.
        """
        found = self.pictures.get(stem, [])
        if not found:
            raise DataError(f"{place}: no picture '{stem}.*' stands beside it", "put it there or remove the label file")
        if len(found) > 1:
            raise DataError(f"{place}: it may belong to {' or '.join(sorted(found))}", "keep one of these pictures")
        return inside(self.root, found[0], place)


def look(path: Path, ending: str) -> Beside:
    """A folder and all below it; or one label file and the pictures in its folder.

    Raises:
        MissingFileError: nothing is there.
        DataError: no label file is there.
    """
    if path.is_file():
        root, labels, names = path.parent, [path.name], _plain(e.name for e in os.scandir(path.parent) if e.is_file())
    elif path.is_dir():
        root, names = path, list(_walk(path))
        labels = [name for name in names if name.lower().endswith(ending)]
    else:
        raise MissingFileError(f"{path}: no such file or folder", "correct the path")
    if not labels:
        raise DataError(f"{path}: no {ending} file in this folder or below it", "name another folder")
    pictures: dict[str, list[str]] = {}
    for name in names:
        if (clean := PurePosixPath(name)).suffix.lower() in SUFFIXES:
            pictures.setdefault(str(clean.with_suffix("")), []).append(name)
    return Beside(root, labels, pictures)


def any_label(path: Path, ending: str) -> bool:
    """Whether a folder, or one below it, holds a label file; false where nothing can be read."""
    return path.is_dir() and any(name.lower().endswith(ending) for name in islice(_walk(path), LOOKED_AT))


def sniff(path: Path, ending: str, fits: Callable[[bytes], bool]) -> bool:
    """A folder with a label file in it or below, or a label file of text whose beginning `fits`; never raises."""
    try:
        if path.is_file() and path.suffix.lower() == ending:
            head = first_bytes(path, 4096)
            return b"\0" not in head and fits(head)
        return any_label(path, ending)
    except OSError:
        return False


def _walk(root: Path) -> Iterator[str]:
    """Names of all files, with forward slashes; links to folders are not followed."""
    for folder, below, files in os.walk(root):
        below[:] = _plain(below)
        start = Path(folder).relative_to(root)
        yield from ((start / name).as_posix() for name in _plain(files))


def _plain(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if not name.startswith("."))


def read_text(path: Path) -> str:
    """A label file's text: UTF-8, or Latin-1 where it is not that (comments of old programs)."""
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def lines_of(text: str, comments: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """(number from 1, stripped line) of every line that is neither blank nor a comment."""
    for number, line in enumerate(re.split("\r\n|\r|\n", text), 1):
        if (line := line.strip()) and not line.startswith(comments):
            yield number, line


def numbers_of(words: list[str], where: str) -> list[float]:
    """Words as finite numbers. Raises DataError, beginning with `where`, for the first that is none."""
    cells = [word.encode() for word in words]
    values = decode_numbers(cells)
    if values is None:
        return [strict_number(cell, f"{where}: a coordinate", "a number") for cell in cells]
    return [float(value) for value in values]


def stack(shapes: list[Floats], labels: list[str]) -> Floats:
    """(N, K, 2) from N shapes (K, 2). Raises DataError naming the first with another number of points."""
    for shape, label in zip(shapes, labels, strict=True):
        if len(shape) != len(shapes[0]):
            raise DataError(
                f"{label}: {len(shape)} points, but {labels[0]} has {len(shapes[0])}",
                "keep shapes of one kind in a folder",
            )
    return np.stack(shapes)


def labels_for(files: Names, ending: str) -> list[str]:
    """The label file of each picture, as a name under the folder that is written to.

    Raises:
        DataError: two pictures share one label file, or a name would leave the folder.
    """
    taken: dict[str, str] = {}
    for name in files.tolist():
        label = str(PurePosixPath(inside(Path(), name, f"*{ending}")).with_suffix(ending))
        if label in taken:
            raise DataError(f"{label}: would belong to {taken[label]} and to {name}", "rename one of these pictures")
        taken[label] = name
    return list(taken)


def refuse_file(path: Path, ending: str) -> None:
    """Raise DataError where a file, or a file above it, stands in the way of the folder to be written."""
    for place in chain([path], path.parents):
        if place.is_file():
            raise DataError(f"{place}: is a file, and {ending} files are written into a folder", "name a folder")
