"""The header of a wide CSV: which column is the picture, which a point's x, a box's side, a size."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from kptool.annotations import numbered
from kptool.errors import DataError
from kptool.formats.cells import PICTURE
from kptool.formats.lines import show

BOX: Final = ("box_left", "box_top", "box_width", "box_height")
_BOXES = (BOX, ("bbox_x", "bbox_y", "bbox_w", "bbox_h"))
SIZE: Final = ("width", "height")
_NUMBERED = re.compile(r"(x|y|occluded)([0-9]{1,6})", re.IGNORECASE)
_NAMED = re.compile(r"(.+)_(x|y|occluded)", re.IGNORECASE | re.DOTALL)


class Columns(NamedTuple):
    """What the columns of a table are.

    Attributes:
        names: K point names.
        points: the x column and the y column of each.
        occluded: the occlusion column of each, or None.
        box: the four columns of a box, or none.
        size: the two columns of the picture's size, or none.
    """

    names: tuple[str, ...]
    points: tuple[tuple[int, int], ...]
    occluded: tuple[int | None, ...]
    box: tuple[int, ...]
    size: tuple[int, ...]


def fits(header: list[str]) -> bool:
    """Whether a header looks like a wide table: a picture first, and then coordinates by pairs or nothing unknown."""
    first, *rest = header
    others = {name for names in (*_BOXES, SIZE) for name in names}
    if _role(first) is not None or first in others:
        return False
    known = first.lower() in PICTURE
    return any(_role(name) is not None and name not in others for name in rest) or (known and set(rest) <= others)


def columns(header: list[str], place: str) -> Columns:
    """What the columns of a header are.

    Raises:
        DataError: a first column that is no picture, an unknown column, half a pair, named and numbered points in one
            table, numbers with a gap, no coordinates under a first column of no known name.
    """
    first = header[0]
    if _role(first) is not None or first in (*SIZE, *BOX):
        raise DataError(f"{place}:1: the first column is {show(first)}", "the first column must name the picture")
    size = _all_of(header, SIZE, place)
    found = [of for names in _BOXES if (of := _all_of(header, names, place, alone=names is BOX))]
    if len(found) > 1:
        raise DataError(f"{place}:1: a box is told twice, by {_BOXES[0][0]} and {_BOXES[1][0]}", "keep one of them")
    box = found[0] if found else ()
    roles = _roles(header, {*size, *box}, place)
    keys = [key for key, axis in roles if axis == "x"]
    if not keys and first.lower() not in PICTURE:
        raise DataError(f"{place}:1: no coordinate columns", "name them <point>_x and <point>_y, commas between")
    return Columns(
        _names(roles, keys, header, place),
        tuple((roles[key, "x"], roles[key, "y"]) for key in keys),
        tuple(roles.get((key, "occluded")) for key in keys),
        box,
        size,
    )


def _roles(header: list[str], taken: set[int], place: str) -> dict[tuple[str, str], int]:
    roles: dict[tuple[str, str], int] = {}
    for c in range(1, len(header)):
        if c in taken:
            continue
        role = _role(header[c])
        if role is None:
            remedy = f"columns after the first are <point>_x, <point>_y, <point>_occluded, {', '.join((*SIZE, *BOX))}"
            raise DataError(f"{place}:1: unknown column {show(header[c])}", remedy)
        if role in roles:
            raise DataError(f"{place}:1: column {show(header[c])} stands twice", "keep one of them")
        roles[role] = c
    return roles


def _role(name: str) -> tuple[str, str] | None:
    """(point, axis) of a coordinate or occlusion column; the point of a numbered one is '#7'."""
    if match := _NUMBERED.fullmatch(name):
        return f"#{int(match[2])}", match[1].lower()
    if match := _NAMED.fullmatch(name):
        return match[1], match[2].lower()
    return None


def _all_of(header: list[str], names: tuple[str, ...], place: str, alone: bool = True) -> tuple[int, ...]:
    """The columns called `names`, all or none; where not `alone`, some of them may mean something else."""
    there = [name for name in names if name in header]
    if len(there) == len(names):
        return tuple(header.index(name) for name in names)
    if there and alone:
        missing = next(name for name in names if name not in header)
        raise DataError(f"{place}:1: column {there[0]} stands without {missing}", "give all of them or none")
    return ()


def _names(roles: dict[tuple[str, str], int], keys: list[str], header: list[str], place: str) -> tuple[str, ...]:
    for (key, axis), column in roles.items():
        for other in "xy":
            if (key, other) not in roles:
                raise DataError(f"{place}:1: column {show(header[column])} has no {other} beside its {axis}", "add it")
    plain = [key for key in keys if key.startswith("#") and _NUMBERED.fullmatch(header[roles[key, "x"]])]
    if not plain:
        return tuple(keys)
    if len(plain) < len(keys):
        raise DataError(f"{place}:1: some points are numbered and some are named", "name all or number all")
    start = min(int(plain[0][1:]), 1)
    for expected, key in enumerate(plain, start):
        if int(key[1:]) != expected:
            raise DataError(f"{place}:1: column x{key[1:]}, expected x{expected}", "number the points without a gap")
    return numbered(len(plain))
