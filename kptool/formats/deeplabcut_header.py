"""The rows above the data of a DeepLabCut table: which columns are whose x and y."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kptool.errors import DataError
from kptool.formats.cells import Row
from kptool.formats.lines import show, wrong_width

_COORDS = ("x", "y", "likelihood")
_Columns = dict[str, dict[str, dict[str, int]]]  # individual, body part, coordinate -> column


class Header(NamedTuple):
    """What stands above the data.

    Attributes:
        width: cells of a row.
        picture: how many of them, from the left, name the picture.
        names: K body parts, in order.
        faces: for each individual, by body part, its x and its y column.
        several: there is a row of individuals.
        likelihood: there are columns of it.
    """

    width: int
    picture: int
    names: tuple[str, ...]
    faces: tuple[dict[str, tuple[int, int]], ...]
    several: bool
    likelihood: bool


def read_header(rows: Iterator[Row], place: str) -> Header:
    """Take the header rows, down to coords, off a table's rows.

    Raises:
        DataError: header rows missing or of unequal width, a column that is no x, y or likelihood or stands twice, an
            x without its y.
    """
    top = _top(rows, place)
    titles, line, width = top["scorer"].cells, top["coords"].line, len(top["coords"].cells)
    picture = next((c for c in range(1, width) if titles[c].strip()), width)
    columns = _columns(top, picture, place)
    for animal, parts in columns.items():
        for part, found in parts.items():
            if lacks := [axis for axis in "xy" if axis not in found]:
                raise DataError(f"{place}:{line}: {f'{animal} {part}'.strip()} has no {lacks[0]}", "add the column")
    return Header(
        width,
        picture,
        tuple(dict.fromkeys(part for parts in columns.values() for part in parts)),
        tuple({part: (at["x"], at["y"]) for part, at in parts.items()} for parts in columns.values()),
        "individuals" in top,
        any("likelihood" in at for parts in columns.values() for at in parts.values()),
    )


def _top(rows: Iterator[Row], place: str) -> dict[str, Row]:
    top: dict[str, Row] = {}
    for row in rows:
        top[row.cells[0].strip().lower()] = row
        if "coords" in top:
            break
    expected = ["scorer", *(["individuals"] if "individuals" in top else []), "bodyparts", "coords"]
    if list(top) != expected:
        raise DataError(f"{place}:1: the header rows are not {', '.join(expected)}", "is this a DeepLabCut table?")
    width = len(top["coords"].cells)
    for row in top.values():
        if len(row.cells) != width:
            raise wrong_width(f"{place}:{row.line}", len(row.cells), width)
    return top


def _columns(top: dict[str, Row], first: int, place: str) -> _Columns:
    columns: _Columns = {}
    line, coords, parts = top["coords"].line, top["coords"].cells, top["bodyparts"].cells
    animals = top["individuals"].cells if "individuals" in top else [""] * len(coords)
    for c in range(first, len(coords)):
        animal, part, coord = animals[c].strip(), parts[c].strip(), coords[c].strip()
        if coord not in _COORDS or not part:
            message = f"{place}:{line}: column {c + 1} is {show(coord)} of {show(part)}"
            raise DataError(message, f"expected {', '.join(_COORDS)} of a body part")
        found = columns.setdefault(animal, {}).setdefault(part, {})
        if coord in found:
            raise DataError(f"{place}:{line}: {coord} of {show(part)} stands twice", "keep one of the columns")
        found[coord] = c
    return columns
