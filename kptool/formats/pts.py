"""A folder of .pts files beside the pictures, as iBUG ships 300-W: one face a picture, points without names.

::

    version: 1
    n_points: 68
    {
    136.218 175.879
    ...
    }

Points count pixels from 1, so 1 is subtracted, as menpo's importer does (menpo/io/input/landmark.py, PTSImporter:
"landmarks on a 480x480 image are in the range [1-480]"). Like menpo, whatever stands before the brace is passed over,
but for `version` and `n_points`, which are checked where they are given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from kptool.annotations import Annotations, Holds, kept, lost, make, numbered
from kptool.errors import DataError
from kptool.files import write_text
from kptool.formats import beside
from kptool.formats.lines import show
from kptool.geometry import Floats

HOLDS: Final = Holds(
    names=False, boxes=False, occluded=False, missing=False, empty=False, several=False, sizes=False, edges=False
)
ENDING: Final = ".pts"


def sniff(path: Path) -> bool:
    """A folder with a .pts file in it or below, or a .pts file with a brace near its start."""
    return beside.sniff(path, ENDING, lambda head: b"{" in head)


def parse(text: str, place: str) -> Floats:
    """The points (K, 2) of a .pts file, in px from 0.

    Raises:
        DataError: beginning with `place` and the line: no braces, another version, a count that does not agree, a
            line that is not two numbers, no points.
    """
    lines = beside.lines_of(text, ("#", "//"))
    count = _header(lines, place)
    points: list[list[float]] = []
    number = 0
    for number, line in lines:
        if line.startswith("}"):
            break
        words = line.split()
        if len(words) != 2:
            raise DataError(f"{place}:{number}: {show(line)}, expected x and y of a point", "correct the line")
        points.append(beside.numbers_of(words, f"{place}:{number}"))
    else:
        raise DataError(f"{place}: the file ends before the closing brace", "download it again")
    for number, line in lines:
        raise DataError(f"{place}:{number}: {show(line)} after the closing brace", "remove it")
    if count not in (None, len(points)):
        raise DataError(f"{place}:{number}: {len(points)} points, but n_points is {count}", "correct the one or other")
    if not points:
        raise DataError(f"{place}:{number}: no points between the braces", "remove the file")
    return np.array(points) - 1


def _header(lines: Iterator[tuple[int, str]], place: str) -> int | None:
    """Go on to the opening brace; n_points, or None where it is not given."""
    count = None
    for number, line in lines:
        if line == "{":
            return count
        key, _, value = (part.strip() for part in line.partition(":"))
        if key == "n_points":
            if not re.fullmatch("[0-9]{1,9}", value):
                raise DataError(f"{place}:{number}: n_points is {show(value)}, expected a whole number", "correct it")
            count = int(value)
        if key == "version" and value not in ("1", "1.0"):
            raise DataError(f"{place}:{number}: version {show(value)}, only 1 is known", "write it as version: 1")
    raise DataError(f"{place}: no line that is an opening brace", "is this a .pts file of points?")


def read(path: Path) -> Annotations:
    """All .pts files of a folder and below in the order of their pictures' names, or a single one.

    Raises:
        MissingFileError: nothing is there.
        DataError: no .pts file, a fault in one, another number of points than in the first, a picture that is missing
            or stands twice with different endings.
    """
    found = beside.look(path, ENDING)
    pictures = {name: found.picture(name[: -len(ENDING)], name) for name in found.labels}
    labels = sorted(pictures, key=lambda label: pictures[label])
    points = beside.stack([parse(beside.read_text(found.root / label), label) for label in labels], labels)
    return make(found.root, [pictures[label] for label in labels], numbered(points.shape[1]), points)


def write(annotations: Annotations, path: Path) -> list[str]:
    """A .pts file for every picture, under the folder `path`; what the format cannot hold is returned.

    Raises:
        DataError: two pictures that differ in their ending only, a name that leaves the folder, a file in the way.
    """
    beside.refuse_file(path, ENDING)
    rows = kept(annotations, HOLDS)
    for label, points in zip(beside.labels_for(rows.files, ENDING), rows.points, strict=True):
        lines = [f"{x!r} {y!r}" for x, y in (points + 1).tolist()]
        write_text(path / label, "\n".join(["version: 1", f"n_points: {len(lines)}", "{", *lines, "}", ""]))
    return lost(annotations, HOLDS, "pts")
