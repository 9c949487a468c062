"""Boxes for pictures that are to be predicted: a CSV of `image,x,y,w,h`, or any annotation file that holds boxes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import numpy as np

from kptool.annotations import Annotations
from kptool.errors import DataError
from kptool.formats import table
from kptool.formats.cells import PICTURE, look, number, split_table
from kptool.formats.lines import show
from kptool.formats.text_file import read_text
from kptool.photos import inside

Box = tuple[float, float, float, float]
"""Left, top, width, height of the pixels covered, px."""

_SIDES: Final = (("left", "x"), ("top", "y"), ("width", "w"), ("height", "h"))
_BEFORE: Final = ("", "box_", "bbox_")


def read_boxes(path: Path) -> dict[str, list[Box]]:
    """Picture name -> its boxes, in file order; names are relative to the file's folder.

    A CSV has a row for each box: the picture, then left, top, width, height under these names or x, y, w, h, with
    box_ or bbox_ before them or not, in any case and order. Any other file is read as annotations, and pictures
    without a box are not in the answer.

    Raises:
        MissingFileError: it is not there.
        DataError: no format fits, no box in it, a box that is not finite or not above zero in size (with its line
            in a CSV of boxes, with its picture in other files), and what the format's reader raises.
        UsageError: more than one format fits.
    """
    header = next(iter(look(path, 1)), [])
    boxes = parse_boxes(read_text(path), path.parent, path.name) if _sides(header) else from_annotations(_read(path))
    if not boxes:
        raise DataError(f"{path}: no box in it", "give a CSV of image,x,y,w,h or annotations with boxes")
    return boxes


def parse_boxes(text: str, root: Path, place: str) -> dict[str, list[Box]]:
    """The boxes of a table's text; `root` is the folder that its picture names are relative to.

    Raises:
        DataError: with the line: a column unknown, missing or twice, a row of another width, a box that is not finite
            or not above zero in size, a name that leaves `root`.
    """
    header, rows = split_table(text, place)
    at = _sides(header)
    if not at:
        raise DataError(f"{place}:1: the columns are not a picture and a box", "name them image,x,y,w,h")
    boxes: dict[str, list[Box]] = {}
    for line, cells in rows:
        where = f"{place}:{line}"
        left, top, width, height = (number(cells[c], where, header[c]) for c in at)
        name = inside(root, cells[0], where)
        boxes.setdefault(name, []).append(_checked((left, top, width, height), where))
    return boxes


def from_annotations(annotations: Annotations) -> dict[str, list[Box]]:
    """The boxes of annotations, without the rows that have none.

    Raises:
        DataError: a box that is not finite or not above zero in size, with its picture.
    """
    boxes: dict[str, list[Box]] = {}
    for file, (left, top, width, height) in zip(annotations.files.tolist(), annotations.boxes.tolist(), strict=True):
        if not np.isnan([left, top, width, height]).all():
            boxes.setdefault(file, []).append(_checked((left, top, width, height), file))
    return boxes


def _read(path: Path) -> Annotations:
    return table.get(table.sniff(path)).read(path)


def _sides(header: list[str]) -> list[int]:
    """The columns of left, top, width and height; empty where the header is not a picture and a box."""
    plain = [name.lower() for name in header]
    if len(plain) != 5 or (plain[0] not in PICTURE and _side(plain[0]) is not None):
        return []
    sides = {_side(name): c for c, name in enumerate(plain[1:], 1)}
    return [sides[side] for side in range(4)] if all(side in sides for side in range(4)) else []


def _side(name: str) -> int | None:
    """0 to 3 for a name of left, top, width or height; None for any other."""
    for side, spellings in enumerate(_SIDES):
        if any(name == before + spelling for before in _BEFORE for spelling in spellings):
            return side
    return None


def _checked(box: Box, where: str) -> Box:
    if not all(math.isfinite(v) for v in box) or min(box[2:]) <= 0:
        told = ", ".join(f"{v:g}" for v in box)
        raise DataError(f"{where}: the box is {show(told)}, expected a width and a height above 0", "correct the box")
    return box
