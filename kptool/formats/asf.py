"""A folder of .asf files beside the pictures: the shapes of Stegmann's AAM-API, as the IMM face database ships them.

After the number of points, a line for each: path, type, x, y, its number, the points it connects from and to, and up
to three values of the user's own; then the picture's name. Lines that begin with # are comments. Coordinates are
fractions of the picture's width and height, so x px = x·W (menpo's ASFImporter scales likewise).

Type 0 is a point on a closed path, type 4 on an open one. An end of an open path connects to itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

import numpy as np

from kptool.annotations import Annotations, Holds, kept, lost, make, numbered
from kptool.errors import DataError, MissingFileError
from kptool.files import write_text
from kptool.formats import beside
from kptool.formats.asf_paths import connections, joins
from kptool.formats.lines import show
from kptool.geometry import Floats
from kptool.photos import inside, read_header

HOLDS: Final = Holds(names=False, boxes=False, occluded=False, missing=False, empty=False, several=False, sizes=False)
ENDING: Final = ".asf"
COLUMNS: Final = "<path#> <type> <x rel.> <y rel.> <point#> <connects from> <connects to>"


class Shape(NamedTuple):
    """One file: (K, 2) fractions of width and height, the points that each connects to, the picture's name or ""."""

    relative: Floats
    edges: tuple[tuple[int, int], ...]
    host: str


def sniff(path: Path) -> bool:
    """A folder with an .asf file in it or below, or an .asf file of text (Windows Media files end so too)."""
    return beside.sniff(path, ENDING, lambda head: bool(re.search(rb"^\s*[0-9]+\s*$", head, re.MULTILINE)))


def parse(text: str, place: str) -> Shape:
    """An .asf file's shape.

    Raises:
        DataError: beginning with `place` and the line: no count, too few or too many lines, a line of other than 7 to
            10 columns, a coordinate that is no number, a point out of its order or connected to none of the points.
    """
    lines = beside.lines_of(text, ("#",))
    number, line = next(lines, (1, ""))
    if not re.fullmatch("[0-9]{1,9}", line) or not int(line):
        raise DataError(f"{place}:{number}: {show(line)}, expected the number of points", "is this an AAM shape file?")
    points: list[list[float]] = []
    edges: list[tuple[int, int]] = []
    for k in range(int(line)):
        x_y, to = _point(next(lines, None), k, int(line), place)
        points.append(x_y)
        if to != k:
            edges.append((k, to))
    _, host = next(lines, (0, ""))
    for number, line in lines:
        raise DataError(f"{place}:{number}: {show(line)} after the picture's name", "remove it or correct the count")
    return Shape(np.array(points), tuple(edges), host)


def _point(found: tuple[int, str] | None, k: int, count: int, place: str) -> tuple[list[float], int]:
    if found is None:
        raise DataError(f"{place}: the file ends after {k} of {count} points", "download it again")
    number, line = found
    where, words = f"{place}:{number}", line.split()
    if not 7 <= len(words) <= 10:
        raise DataError(f"{where}: {show(line)}, expected point {k} of {count} as {COLUMNS}", "correct the line")
    for word in (words[0], words[1], *words[4:7]):
        if not re.fullmatch("[0-9]{1,9}", word):
            raise DataError(f"{where}: {show(word)} of point {k}, expected a whole number", "correct the line")
    if int(words[4]) != k:
        raise DataError(f"{where}: point {words[4]} where point {k} was expected", "order the points by their numbers")
    if not all(int(word) < count for word in words[5:7]):
        raise DataError(f"{where}: connects {words[5]} to {words[6]}, but there are {count} points", "correct the line")
    return beside.numbers_of(words[2:4], where), int(words[6])


def read(path: Path) -> Annotations:
    """All .asf files of a folder and below in the order of their pictures' names, or a single one.

    The picture is the one that the file names; one with another ending serves as well (the names may end in .bmp
    where .jpg were shipped). A file that names none belongs to the picture with its own name.

    Raises:
        MissingFileError: nothing is there.
        DataError: no .asf file, a fault in one, other points or connections than in the first, a picture that is
            missing, cannot be read, stands twice with different endings or is named by two files.
    """
    found = beside.look(path, ENDING)
    shapes = {label: parse(beside.read_text(found.root / label), label) for label in found.labels}
    owners: dict[str, str] = {}
    for label, shape in shapes.items():
        picture = _picture(found, label, shape.host)
        if picture in owners:
            raise DataError(f"{label}: names {picture} as {owners[picture]} does", "correct one of them")
        owners[picture] = label
    pictures = sorted(owners)
    labels = [owners[picture] for picture in pictures]
    relative = beside.stack([shapes[label].relative for label in labels], labels)
    edges = shapes[labels[0]].edges
    for label in labels:
        if shapes[label].edges != edges:
            raise DataError(f"{label}: connects its points otherwise than {labels[0]}", "correct one of them")
    sizes = np.array([read_header(found.root / picture).size for picture in pictures], dtype=np.float64)
    return make(found.root, pictures, numbered(relative.shape[1]), relative * sizes[:, None], edges=edges)


def _picture(found: beside.Beside, label: str, host: str) -> str:
    folder = PurePosixPath(label).parent
    if not host:
        return found.picture(label[: -len(ENDING)], label)
    name = folder / inside(found.root / folder, host, label)
    stem = str(name.with_suffix(""))
    return str(name) if str(name) in found.pictures.get(stem, []) else found.picture(stem, label)


def write(annotations: Annotations, path: Path) -> list[str]:
    """An .asf file for every picture, under the folder `path`; what the format cannot hold is returned.

    Fractions need the pictures' sizes: those of the annotations, else of the pictures themselves.

    Raises:
        DataError: a size that is not known, two pictures that differ in their ending only, a name that leaves the
            folder or begins with a blank, a file in the way.
    """
    beside.refuse_file(path, ENDING)
    rows = kept(annotations, replace(HOLDS, sizes=True))
    ways, left = connections(len(rows.names), rows.edges)
    labels = beside.labels_for(rows.files, ENDING)
    texts = []
    for row, label in enumerate(labels):
        fractions = rows.points[row] / _size(rows, row, label)
        points = [
            f"{way.path}\t{way.type}\t{x!r}\t{y!r}\t{k}\t{way.start}\t{way.end}"
            for k, (way, (x, y)) in enumerate(zip(ways, fractions.tolist(), strict=True))
        ]
        texts.append("\n".join(_text(points, PurePosixPath(rows.files[row]).name, label)))
    for label, text in zip(labels, texts, strict=True):  # last, so that a fault leaves nothing half written
        write_text(path / label, text)
    return lost(annotations, HOLDS, "asf") + joins(left, len(rows.edges))


def _size(rows: Annotations, row: int, label: str) -> Floats:
    if rows.sizes[row].all():
        return np.asarray(rows.sizes[row], dtype=np.float64)
    name = str(rows.files[row])
    try:
        size = read_header(rows.root / name).size
    except MissingFileError:
        raise DataError(f"{label}: the size of {name} is not known and the picture not there", "put it there") from None
    return np.asarray(size, dtype=np.float64)


def _text(points: list[str], host: str, label: str) -> Iterator[str]:
    if host != host.strip():
        raise DataError(f"{label}: the picture's name {host!r} cannot stand in an AAM shape file", "rename it")
    yield from ["# AAM Shape File, written by kptool", "", "# number of model points", str(len(points)), ""]
    yield from ["# model points", f"# format: {COLUMNS}", *points, ""]
    yield from ["# host image", f"./{host}" if host.startswith("#") else host, ""]
