"""Plain CSV, a point a row: `image,point,x,y`, and `face` and `occluded` where they are needed.

A blank x and y is a point that is not labelled. Rows of one picture belong to one face unless a `face` column tells
them apart (0, 1, ... within the picture). Faces keep the order in which they first appear, and so do points; kptool
writes every point of every face, blank where it has none, so that both orders and the empty faces come back. A row
with neither point nor place says only that there is such a face. Pixels count from 0.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import numpy as np

from kptool.annotations import Annotations, Holds, kept, lost, make
from kptool.errors import DataError
from kptool.formats.cells import PICTURE, check_names, flag, look, point, shown, split_table, whole, write_rows
from kptool.formats.lines import check_columns, show
from kptool.formats.text_file import read_text
from kptool.photos import inside

HOLDS: Final = Holds(boxes=False, sizes=False, edges=False)
_NEEDED = ("image", "point", "x", "y")
_OPTIONAL = ("face", "occluded")


def sniff(path: Path) -> bool:
    """Whether the first line of a .csv names a picture, a point, x and y."""
    rows = look(path, 1)
    header = _plain(rows[0]) if rows else []
    return set(_NEEDED) <= set(header)


def parse(text: str, root: Path, place: str) -> Annotations:
    """Annotations from a table's text. `root` is the folder its picture names are relative to.

    Raises:
        DataError: with the line: columns missing, unknown or twice, rows of another width, a cell that is no number,
            half a point, a point told twice, an occluded point without place, a name that leaves `root`.
    """
    header, rows = split_table(text, place)
    header = _plain(header)
    check_columns([name for name in header if name not in _OPTIONAL], _NEEDED, place)
    at = {name: header.index(name) for name in (*_NEEDED, *_OPTIONAL) if name in header}
    faces: dict[tuple[str, int], int] = {}
    names: dict[str, int] = {}
    told: dict[tuple[int, int], tuple[float, float, bool]] = {}
    for line, cells in rows:
        where = f"{place}:{line}"
        file, name = inside(root, cells[at["image"]], where), cells[at["point"]].strip()
        face = whole(cells[at["face"]], where, "face", 0) if "face" in at else 0
        x, y = point((cells[at["x"]], cells[at["y"]]), where, name or "''")
        hidden = "occluded" in at and flag(cells[at["occluded"]], where, "occluded", not math.isnan(x))
        n = faces.setdefault((file, face), len(faces))
        if not name:
            if not math.isnan(x):
                raise DataError(f"{where}: x and y without a point's name", "name the point")
            continue
        key = n, names.setdefault(name, len(names))
        if key in told:
            raise DataError(f"{where}: point {show(name)} of {file} stands twice", _twice("face" in at))
        told[key] = x, y, hidden
    points = np.full((len(faces), len(names), 2), np.nan)
    occluded = np.zeros((len(faces), len(names)), dtype=np.bool_)
    for key, (x, y, hidden) in told.items():
        points[key], occluded[key] = (x, y), hidden
    return make(root, [file for file, _ in faces], tuple(names), points, occluded=occluded)


def read(path: Path) -> Annotations:
    """The annotations of a file; picture names are relative to its folder. Raises as `parse`, and MissingFileError."""
    return parse(read_text(path), path.parent, path.name)


def write(annotations: Annotations, path: Path) -> list[str]:
    """Write what the format holds; returns what is lost.

    Raises:
        DataError: point names that cannot be told apart.
    """
    a = kept(annotations, HOLDS)
    check_names(a.names, path)
    several, hidden = len(set(a.files.tolist())) < len(a), bool(a.occluded.any())
    rows = [["image", *(["face"] if several else []), "point", "x", "y", *(["occluded"] if hidden else [])]]
    count: dict[str, int] = {}
    for n, file in enumerate(a.files.tolist()):
        face = count[file] = count.get(file, -1) + 1
        start = [file, str(face)] if several else [file]
        for k, name in enumerate(a.names):
            x, y = a.points[n, k].tolist()
            rows.append([*start, name, shown(x), shown(y), *([str(int(a.occluded[n, k]))] if hidden else [])])
        if not a.names:
            rows.append([*start, "", "", ""])
    write_rows(path, rows)
    return lost(annotations, HOLDS, "long CSV")


def _plain(header: list[str]) -> list[str]:
    """The names in small letters; a first column of any known spelling is `image`."""
    plain = [name.lower() for name in header]
    return ["image", *plain[1:]] if plain and plain[0] in PICTURE else plain


def _twice(has_faces: bool) -> str:
    return "keep one of them" if has_faces else "keep one, or tell faces apart by a column 'face'"
