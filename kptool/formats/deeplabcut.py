"""DeepLabCut's CSV: `CollectedData_<scorer>.csv` of one animal or several, and its tables of predictions.

Source: the files that DeepLabCut 2.2 and 2.3 write by pandas' `to_csv` of a table with several header rows. The rows
above the data are scorer, individuals (only where there are several animals), bodyparts and coords; the picture is one
cell, `labeled-data/video/img001.png`, or since 2.3 three (labeled-data, video, img001.png). Blank is not labelled,
pixels count from 0, Windows' backslashes become slashes. In a table of several animals an individual without any point
in a picture is not there; a picture in which nobody has one is a row without points. Individuals are told apart within
a picture only: who is who is not kept. The `likelihood` of predictions is dropped; `remarks` says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np

from kptool.annotations import Annotations, Holds, kept, lost, make
from kptool.errors import DataError
from kptool.formats.cells import Row, check_names, look, point, shown, split_rows, write_rows
from kptool.formats.deeplabcut_header import Header, read_header
from kptool.formats.lines import wrong_width
from kptool.formats.text_file import read_text
from kptool.photos import inside

HOLDS: Final = Holds(boxes=False, occluded=False, sizes=False, edges=False)
_LABELED = "labeled-data"
_SCORER = "kptool"


def sniff(path: Path) -> bool:
    """Whether the first cells of a .csv's first two lines are scorer, and individuals or bodyparts."""
    rows = look(path, 2)
    return [row[:1] for row in rows] in ([["scorer"], ["individuals"]], [["scorer"], ["bodyparts"]])


def parse(text: str, place: str) -> tuple[Header, list[tuple[int, str, list[list[tuple[float, float]]]]]]:
    """The header, and (line, picture, faces of K points) of each row.

    Raises:
        DataError: with the line: header rows missing, a column that is no x, y or likelihood or stands twice, an x
            without its y, rows of another width, cells that are no numbers, half points, in a table of one animal a
            picture that stands twice, predictions of a video's frames, which are no pictures.
    """
    rows = split_rows(text, place)
    header = read_header(rows, place)
    found = []
    lines: dict[str, int] = {}
    for row in rows:
        where = f"{place}:{row.line}"
        if len(row.cells) != header.width:
            raise wrong_width(where, len(row.cells), header.width)
        parts = row.cells[: header.picture]
        file = "/".join(parts).replace("\\", "/")
        if not all(parts):
            raise DataError(f"{where}: the picture's name is blank", "name the picture")
        if header.likelihood and file.isdigit():
            raise DataError(f"{where}: {file} is a frame of a video, not a picture", "label or predict pictures")
        if not header.several and lines.setdefault(file, row.line) != row.line:
            raise DataError(f"{where}: {file} stands in line {lines[file]} too", "keep one of the rows")
        found.append((row.line, file, _faces(row, header, where)))
    return header, found


def read(path: Path) -> Annotations:
    """The annotations of a file; see `_root` for the folder that its pictures are in.

    Raises:
        MissingFileError: it is not there.
        DataError: as `parse`, and a picture's name that leaves the folder.
    """
    header, rows = parse(read_text(path), path.name)
    root, bare = _root(path, [file for _, file, _ in rows])
    files, points = [], []
    for line, file, faces in rows:
        name = inside(root, file, f"{path.name}:{line}")
        files += [name.rsplit("/", 1)[-1] if bare else name] * len(faces)
        points += faces
    shape = (len(files), len(header.names), 2)
    return make(root, files, header.names, np.array(points, dtype=np.float64).reshape(shape))


def remarks(path: Path) -> list[str]:
    """What `read` leaves out of a file, in a line each.

    Raises:
        MissingFileError, DataError: as `read`.
    """
    dropped = read_header(split_rows(read_text(path), path.name), path.name).likelihood
    return ["the likelihood of its predictions is dropped"] if dropped else []


def write(annotations: Annotations, path: Path) -> list[str]:
    """Write what the format holds; returns what is lost.

    Individuals are written where a picture shows several faces. Names of three parts that begin with labeled-data are
    written in three columns, as DeepLabCut does since 2.3.

    Raises:
        DataError: point names that cannot be told apart.
    """
    a = kept(annotations, HOLDS)
    check_names(a.names, path)
    several = len(set(a.files.tolist())) < len(a)
    lines = list(_lines(a.files.tolist(), [bool(row.any()) for row in a.labelled]))
    animals = [f"individual{i + 1}" for i in range(max((len(faces) for _, faces in lines), default=1))]
    split = [str(file).split("/") for file in a.files]
    index = 3 if split and all(len(parts) == 3 and parts[0] == _LABELED for parts in split) else 1
    columns = [(animal, name, axis) for animal in animals for name in a.names for axis in "xy"]
    rows = [[title, *[""] * (index - 1)] for title in ("scorer", "individuals", "bodyparts", "coords")]
    for row, cells in zip(rows, zip(*[(_SCORER, *column) for column in columns], strict=True), strict=False):
        row += cells
    if not several:
        del rows[1]
    for file, faces in lines:
        numbers = [shown(v) for v in a.points[faces].ravel().tolist()]
        rows.append([*(file.split("/") if index == 3 else [file]), *numbers, *[""] * (len(columns) - len(numbers))])
    write_rows(path, rows)
    return lost(annotations, HOLDS, "DeepLabCut CSV")


def _lines(files: list[str], labelled: list[bool]) -> Iterator[tuple[str, list[int]]]:
    """(picture, rows) of each line: neighbours of one picture share it; a row without points needs its own."""
    for (file, some), rows in groupby(range(len(files)), lambda n: (files[n], labelled[n])):
        together = list(rows)
        yield from [(file, together)] if some else [(file, [n]) for n in together]


def _faces(row: Row, header: Header, where: str) -> list[list[tuple[float, float]]]:
    """The points of every face of a row; one without any where nobody has one."""
    blank = (math.nan, math.nan)
    faces = []
    for columns in header.faces:
        cells = {name: (row.cells[x], row.cells[y]) for name, (x, y) in columns.items()}
        face = [point(cells[name], where, name) if name in cells else blank for name in header.names]
        if not all(math.isnan(x) for x, _ in face):
            faces.append(face)
    return faces or [[blank] * len(header.names)]


def _root(path: Path, files: list[str]) -> tuple[Path, bool]:
    """The folder that the pictures are in, and whether only the last part of their names holds there.

    `labeled-data/video/img.png` is relative to the project, which is two folders above a file that stands in
    labeled-data/video. A table that was moved beside its pictures finds them by their last part; else names are
    relative to the file's folder.
    """
    folder = path.parent
    labeled = bool(files) and all(file.startswith(f"{_LABELED}/") for file in files)
    if labeled and folder.absolute().parent.name == _LABELED:
        return folder.absolute().parent.parent, False
    one_video = len({file.rsplit("/", 1)[0] for file in files}) == 1
    if labeled and one_video and not (folder / files[0]).exists():
        return folder, (folder / files[0].rsplit("/", 1)[-1]).exists()
    return folder, False
