"""Plain CSV, a face a row: `image,x1,y1,x2,y2,...` or `image,nose_x,nose_y,...`.

The first column names the picture. Coordinates come in pairs, `nose_x` and `nose_y`, or numbered from 0 or 1 without
a gap, `x1` and `y1`; blank or nan in both is not labelled. Optional: `box_left,box_top,box_width,box_height` (or
`bbox_x,bbox_y,bbox_w,bbox_h`), `width,height` of the picture, `nose_occluded` (or `occluded1`) of 0 or 1. Pixels count
from 0. Columns may come in any order after the first; points keep the order of their x columns.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import numpy as np

from kptool.annotations import Annotations, Holds, kept, lost, make, numbered
from kptool.errors import DataError
from kptool.formats.cells import Row, check_names, flag, look, number, point, shown, split_table, whole, write_rows
from kptool.formats.csv_columns import BOX, SIZE, columns, fits
from kptool.formats.text_file import read_text
from kptool.photos import inside

HOLDS: Final = Holds(edges=False)


def sniff(path: Path) -> bool:
    """Whether the first line of a .csv names a picture and coordinates by pairs."""
    rows = look(path, 1)
    return bool(rows and rows[0]) and fits(rows[0])


def parse(text: str, root: Path, place: str) -> Annotations:
    """Annotations from a table's text. `root` is the folder its picture names are relative to.

    Raises:
        DataError: with the line: what `columns` and `split_table` raise, a cell that is no number, half a point, half
            a box, half a size, a name that leaves `root`.
    """
    header, rows = split_table(text, place)
    where = columns(header, place)
    files, points, occluded, boxes, sizes = [], [], [], [], []
    for row in rows:
        at = f"{place}:{row.line}"
        files.append(inside(root, row.cells[0], at))
        found = [
            point((row.cells[x], row.cells[y]), at, name)
            for name, (x, y) in zip(where.names, where.points, strict=True)
        ]
        points.append(found)
        occluded.append([
            c is not None and flag(row.cells[c], at, header[c], not math.isnan(x))
            for c, (x, _) in zip(where.occluded, found, strict=True)
        ])  # fmt: skip
        boxes.append(_box(row, where.box, header, at))
        sizes.append(_size(row, where.size, header, at))
    n, k = len(files), len(where.names)
    return make(
        root,
        files,
        where.names,
        np.array(points, dtype=np.float64).reshape(n, k, 2),
        np.array(boxes, dtype=np.float64).reshape(n, 4),
        np.array(occluded, dtype=np.bool_).reshape(n, k),
        np.array(sizes, dtype=np.int64).reshape(n, 2),
    )


def read(path: Path) -> Annotations:
    """The annotations of a file; picture names are relative to its folder. Raises as `parse`, and MissingFileError."""
    return parse(read_text(path), path.parent, path.name)


def write(annotations: Annotations, path: Path) -> list[str]:
    """Write what the format holds; returns what is lost.

    Points called 00, 01, ... are written as x1, y1, x2, y2, ...; columns of boxes, sizes and occlusion only where
    there are any.

    Raises:
        DataError: point names that cannot be told apart.
    """
    a = kept(annotations, HOLDS)
    check_names(a.names, path)
    plain = a.names == numbered(len(a.names))
    form = "{axis}{number}" if plain else "{name}_{axis}"
    told = [(form.format(axis="occluded", number=k + 1, name=a.names[k]), k) for k in np.flatnonzero(a.occluded.any(0))]
    boxed, sized = bool(np.isfinite(a.boxes).any()), bool(a.sizes.any())
    header = ["image", *(SIZE if sized else ()), *(BOX if boxed else ())]
    header += [form.format(axis=axis, number=k + 1, name=name) for k, name in enumerate(a.names) for axis in "xy"]
    header += [name for name, _ in told]
    rows = [header]
    for n, file in enumerate(a.files):
        row = [str(file)]
        row += [str(v) if v else "" for v in a.sizes[n].tolist()] if sized else []
        row += [shown(v) for v in a.boxes[n].tolist()] if boxed else []
        row += [shown(v) for v in a.points[n].ravel().tolist()]
        rows.append(row + [str(int(a.occluded[n, k])) for _, k in told])
    write_rows(path, rows)
    return lost(annotations, HOLDS, "CSV")


def _box(row: Row, at: tuple[int, ...], header: list[str], where: str) -> list[float]:
    box = [number(row.cells[c], where, header[c]) for c in at] or [math.nan] * 4
    if len({math.isnan(v) for v in box}) > 1:
        raise DataError(f"{where}: the box is told in part", "give all four of its numbers, or leave all blank")
    return box


def _size(row: Row, at: tuple[int, ...], header: list[str], where: str) -> list[int]:
    if not any(row.cells[c].strip() for c in at):
        return [0, 0]
    return [whole(row.cells[c], where, header[c], 1) for c in at]
