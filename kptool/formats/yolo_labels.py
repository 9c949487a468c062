"""The label file of one picture in a YOLO-pose folder: a face a line, in fractions of the picture's sides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from kptool.annotations import Annotations
from kptool.dataset import Ints, Mask
from kptool.errors import DataError
from kptool.formats.lines import show
from kptool.formats.text_file import decimal, finite_numbers
from kptool.geometry import Floats

_BEFORE = 5  # class cx cy w h


class Line(NamedTuple):
    """A line that is not blank: its place and its words."""

    where: str
    words: list[str]


class Faces(NamedTuple):
    """n faces of one picture: points (n, K, 2) px, occluded (n, K), boxes (n, 4) px."""

    points: Floats
    occluded: Mask
    boxes: Floats


def lines_of(text: str, place: str) -> Iterator[Line]:
    """The lines that are not blank."""
    for number, line in enumerate(text.split("\n"), 1):
        if words := line.split():
            yield Line(f"{place}:{number}", words)


def infer(width: int, where: str) -> tuple[int, int]:
    """How many points a line of `width` words has, and of how many numbers each.

    Raises:
        DataError: beginning with `where`; the words go up in points of two numbers and of three, or in neither.
    """
    rest = width - _BEFORE
    dims = [d for d in (2, 3) if rest > 0 and rest % d == 0]
    if not dims:
        fault = (
            f"{width} numbers are no class, box and points" if rest > 0 else f"{width} numbers leave none for points"
        )
        raise DataError(f"{where}: {fault}", "is this a YOLO-pose folder?")
    if len(dims) == 2:
        both = f"{rest // 2} points x, y or {rest // 3} points x, y, v"
        raise DataError(f"{where}: {width} numbers may be {both}", f"give a data.yaml with kpt_shape: [{rest // 3}, 3]")
    return rest // dims[0], dims[0]


def parse(text: str, place: str, count: int, dims: int, size: tuple[int, int]) -> Faces:
    """The faces of a label text.

    Args:
        text: what the label file holds.
        place: what messages call it.
        count: K points.
        dims: numbers of a point, 2 or 3.
        size: W and H of the picture.

    Raises:
        DataError: beginning with the place and the line: a word that is no finite number, another count of them, a
            class that is no whole number from 0 on, a negative width or height, v that is not 0, 1 or 2.
    """
    lines = list(lines_of(text, place))
    values = np.zeros((len(lines), _BEFORE + count * dims))
    for row, line in zip(values, lines, strict=True):
        if len(line.words) != len(row):
            fault = f"{len(line.words)} numbers, expected {len(row)} for {count} points of {dims}"
            raise DataError(f"{line.where}: {fault}", "correct the line, or kpt_shape in data.yaml")
        row[:] = _checked(line)
    sides = np.array(size, dtype=np.float64)
    given = values[:, _BEFORE:].reshape(-1, count, dims)
    seen = given[..., 2] if dims == 3 else np.where((given == 0).all(-1) | (given < 0).any(-1), 0.0, 2.0)
    for row, k in np.argwhere(~np.isin(seen, (0, 1, 2)))[:1]:
        raise DataError(f"{lines[row].where}: point {k + 1} has v = {seen[row, k]:g}", "v is 0, 1 or 2")
    points = np.where((seen > 0)[..., None], given[..., :2] * sides, np.nan)
    centres, spans = values[:, 1:3], values[:, 3:5]
    return Faces(points, seen == 1, np.concatenate([(centres - spans / 2) * sides, spans * sides], axis=1))


def _checked(line: Line) -> Floats:
    row = finite_numbers(line.words, line.where)
    if row[0] < 0 or row[0] != int(row[0]):
        raise DataError(f"{line.where}: the class is {show(line.words[0])}", "classes are whole numbers from 0 on")
    if (row[3:5] < 0).any():
        raise DataError(f"{line.where}: the box is {row[3]:g} x {row[4]:g}", "width and height are not negative")
    return row


def compose(rows: Annotations, sizes: Ints) -> Iterator[str]:
    """A line for every row, with its end, in three numbers a point; nothing for a row without box.

    Args:
        rows: faces whose boxes are finite, or pictures without a face.
        sizes: (N, 2) W and H of each row's picture.
    """
    labelled = rows.labelled
    seen = np.where(labelled, np.where(rows.occluded, 1, 2), 0)
    fractions = np.where(labelled[..., None], rows.points / sizes[:, None], 0)
    centres = (rows.boxes[:, :2] + rows.boxes[:, 2:] / 2) / sizes
    boxes = np.concatenate([centres, rows.boxes[:, 2:] / sizes], axis=1)
    for row in range(len(rows)):
        if not np.isfinite(boxes[row]).all():
            yield ""
            continue
        box = " ".join(map(decimal, boxes[row].tolist()))
        triples = zip(fractions[row].tolist(), seen[row].tolist(), strict=True)
        yield f"0 {box} {' '.join(f'{decimal(x)} {decimal(y)} {v}' for (x, y), v in triples)}\n"
