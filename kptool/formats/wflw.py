"""WFLW text: a face a line. https://wywu.github.io/projects/LAB/WFLW.html

::

    x1 y1 ... x98 y98  x_min y_min x_max y_max  pose expression illumination make-up occlusion blur  folder/name.jpg
    x1 y1 ... x98 y98  folder/name.jpg

The first is list_98pt_rect_attr_*.txt, the second list_98pt_*.txt; both are read, for any number of points, and the
first is written. Coordinates are kptool's as they stand: WFLW counts pixels from 0. The box's width is x_max - x_min,
which makes reading and writing each other's inverse; whether WFLW means x_max to be covered is not documented.

The six attributes (0 or 1) speak of faces, not of points, and are not held: reading drops them, writing puts 0. Picture
names are relative to the folder WFLW_images where one stands beside the file or up to two folders above, else to the
file's own folder.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from kptool.annotations import Annotations, Holds, kept, lost, make, numbered
from kptool.errors import DataError
from kptool.files import write_text
from kptool.formats.lines import show
from kptool.formats.text_file import decimal, finite_numbers, first_bytes, is_number, read_text
from kptool.geometry import Floats
from kptool.photos import SUFFIXES, inside

HOLDS: Final = Holds(
    names=False, occluded=False, missing=False, empty=False, boxless=False, sizes=False, edges=False, digits=None
)
_ATTRIBUTES: Final = 6
_BEHIND: Final = 4 + _ATTRIBUTES  # what stands between the points and the name, in the longer form


class _Line(NamedTuple):
    where: str
    words: list[str]  # without the picture's name
    name: str


def sniff(path: Path) -> bool:
    """True for a .txt file whose first line is an even count of numbers, two or more, and a picture's name."""
    if path.suffix.lower() != ".txt":
        return False
    words = first_bytes(path, 65536).decode("utf-8", "replace").lstrip("\ufeff").partition("\n")[0].split()
    pairs = len(words) >= 3 and len(words) % 2 == 1 and all(is_number(word) for word in words[:-1])
    return pairs and Path(words[-1]).suffix.lower() in SUFFIXES


def read(path: Path) -> Annotations:
    """The faces of a WFLW file.

    Raises:
        MissingFileError: the file is not there.
        DataError: as `parse` does.
    """
    return parse(read_text(path), pictures_of(path), path.name)


def pictures_of(path: Path) -> Path:
    """The folder that the picture names of a WFLW file are relative to."""
    for folder in path.absolute().parents[:3]:
        if (folder / "WFLW_images").is_dir():
            return folder / "WFLW_images"
    return path.parent


def parse(text: str, root: Path, place: str) -> Annotations:
    """The faces of a WFLW text.

    The two forms are told apart by the number of points in `place` (list_98pt_...), where it tells one; else by the
    six numbers before the name, which are all 0 or 1 in the longer form.

    Raises:
        DataError: beginning with `place` and the line: a word that is no finite number, another count of words than in
            the first line, x_max below x_min, a picture outside the folder, no line at all.
    """
    lines = _split(text, place)
    width = len(lines[0].words)
    for line in lines:
        if len(line.words) != width:
            raise DataError(
                f"{line.where}: {len(line.words)} numbers before the name, {width} in the first line", "correct it"
            )
    count, long = _form(lines, place)
    values = np.stack([finite_numbers(line.words, line.where) for line in lines])
    boxes = _boxes(values[:, 2 * count : 2 * count + 4], lines) if long else None
    files = [inside(root, line.name, line.where) for line in lines]
    return make(root, files, numbered(count), values[:, : 2 * count], boxes)


def _split(text: str, place: str) -> list[_Line]:
    lines = []
    for number, line in enumerate(text.split("\n"), 1):
        if words := line.split():
            lines.append(_Line(f"{place}:{number}", words[:-1], words[-1]))
    if not lines:
        raise DataError(f"{place}: no faces", "is this the right file?")
    return lines


def _form(lines: list[_Line], place: str) -> tuple[int, bool]:
    """How many points the lines have, and whether boxes and attributes follow them."""
    width = len(lines[0].words)
    if width < 2 or width % 2:
        fault = f"{width} numbers before the name, expected x and y of every point"
        raise DataError(f"{lines[0].where}: {fault}", "is this a WFLW file?")
    if told := re.search(r"(\d+)pt(?![a-z])", place):
        count = int(told[1])
        if count and width in (2 * count, 2 * count + _BEHIND):
            return count, width > 2 * count
    flags = [width > _BEHIND and all(word in ("0", "1") for word in line.words[-_ATTRIBUTES:]) for line in lines]
    if not flags[0]:
        return width // 2, False
    for line, flag in zip(lines, flags, strict=True):
        if not flag:
            found = " ".join(line.words[-_ATTRIBUTES:])
            raise DataError(f"{line.where}: the attributes are {show(found)}", "the six before the name are 0 or 1")
    return (width - _BEHIND) // 2, True


def _boxes(corners: Floats, lines: list[_Line]) -> Floats:
    low, high = corners[:, :2], corners[:, 2:]
    for row in np.flatnonzero((high < low).any(1))[:1]:
        found = " ".join(decimal(value) for value in corners[row].tolist())
        raise DataError(f"{lines[row].where}: the box {found} ends before it begins", "give x_min y_min x_max y_max")
    return np.concatenate([low, high - low], axis=1)


def write(annotations: Annotations, path: Path) -> list[str]:
    """Write the longer form, attributes 0; coordinates keep every bit.

    Returns:
        What WFLW text cannot hold of these annotations, a line each.

    Raises:
        DataError: a picture's name holds a blank, which the format has no way to write.
    """
    rows = kept(annotations, HOLDS)
    for file in map(str, rows.files):
        if len(file.split()) != 1:
            raise DataError(f"{path.name}: WFLW text cannot hold the name {show(file)}", "rename it without blanks")
    corners = np.concatenate([rows.boxes[:, :2], rows.boxes[:, :2] + rows.boxes[:, 2:]], axis=1)
    values = np.concatenate([rows.points.reshape(len(rows), -1), corners], axis=1).tolist()
    lines = [
        f"{' '.join(map(decimal, numbers))} {' '.join('0' * _ATTRIBUTES)} {file}\n"
        for numbers, file in zip(values, rows.files, strict=True)
    ]
    write_text(path, "".join(lines))
    return lost(annotations, HOLDS, "WFLW text")
