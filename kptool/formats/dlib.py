"""dlib's XML of pictures, boxes and parts, as its imglab tool and iBUG's 300-W archive write it.

Boxes and parts are whole pixels from 0, and a box covers `width` x `height` of them, as dlib reads it
(dlib/data_io/image_dataset_metadata.cpp: right = left + width - 1). A box is a row; so is a picture without a box.
Parts stand by name: like dlib's std::map they are put in the order of their names, but numbers by their value. What
else dlib tells of a box (label, ignore, occluded, pose, age and so on) is passed over.

A document type declaration is refused, and with it every entity of one's own: none is expanded, nothing is fetched.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from xml.sax.saxutils import quoteattr

import numpy as np

from kptool.annotations import Annotations, Holds, kept, lost
from kptool.dataset import Ints
from kptool.errors import DataError, MissingFileError
from kptool.files import write_text
from kptool.formats.dlib_parser import in_order, order_note, parse
from kptool.formats.text_file import first_bytes
from kptool.photos import inside

HOLDS: Final = Holds(occluded=False, boxless=False, edges=False, digits=0)
BLOCK: Final = 1 << 18
"""Bytes read at a time."""


def sniff(path: Path) -> bool:
    """An XML file whose beginning speaks of a <dataset> of <images>."""
    head = first_bytes(path, 1 << 16)
    return b"<dataset" in head and b"<images" in head


def read(path: Path) -> Annotations:
    """A dlib XML file: a row per box, in file order; pictures' names are relative to its folder.

    Raises:
        MissingFileError: there is no such file.
        DataError: its first fault, as `labels.xml:LINE: ...`.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file", "correct the path")
    with path.open("rb") as file:
        return parse(iter(lambda: file.read(BLOCK), b""), path.name, path.parent)


def write(annotations: Annotations, path: Path) -> list[str]:
    """A dlib XML file in UTF-8; what the format cannot hold is returned.

    All boxes of a picture stand in one <image>, where its first stood: dlib takes what an <image> does not box for
    background. So rows of one picture that are apart come back side by side.

    Raises:
        DataError: a name that leaves the folder or that XML cannot hold, a point name that stands twice, a box below
            half a pixel, two sizes for one picture.
    """
    rows = kept(annotations, HOLDS)
    if len(set(rows.names)) < len(rows.names):
        raise DataError(f"{path.name}: two points have one name, and dlib tells them by their names", "rename one")
    write_text(path, "\n".join(_document(rows, path.name)))
    return lost(annotations, HOLDS, "dlib XML")


def _document(rows: Annotations, place: str) -> Iterator[str]:
    yield "<?xml version='1.0' encoding='UTF-8'?>"
    labelled = [bool(rows.labelled[:, k].any()) for k in range(len(rows.names))]
    found = [name for name, some in zip(rows.names, labelled, strict=True) if some]
    if in_order(found) != rows.names:
        yield order_note(rows.names)
    yield from ["<dataset>", "<name>kptool annotations</name>", "<comment>written by kptool</comment>", "<images>"]
    of_picture: dict[str, list[int]] = {}
    for row, name in enumerate(rows.files.tolist()):
        of_picture.setdefault(inside(Path(), name, place), []).append(row)
    names = [_attribute(name, place) for name in rows.names]
    for name, members in of_picture.items():
        yield f"  <image file={_attribute(name, place)}{_size(rows.sizes[members], name, place)}>"
        for row in members:
            yield from _box(rows, row, names, place)
        yield "  </image>"
    yield from ["</images>", "</dataset>", ""]


def _box(rows: Annotations, row: int, names: list[str], place: str) -> Iterator[str]:
    left, top, width, height = rows.boxes[row].tolist()
    if math.isnan(left):
        return  # a picture without a face
    if width < 1 or height < 1:
        raise DataError(
            f"{place}: a box of {rows.files[row]} is {width:g} x {height:g} px when rounded", "mend the box"
        )
    yield f"    <box top='{top:.0f}' left='{left:.0f}' width='{width:.0f}' height='{height:.0f}'>"
    for name, (x, y) in zip(names, rows.points[row].tolist(), strict=True):
        if not math.isnan(x):
            yield f"      <part name={name} x='{x:.0f}' y='{y:.0f}'/>"
    yield "    </box>"


def _size(sizes: Ints, name: str, place: str) -> str:
    known = np.unique(sizes[sizes.all(1)], axis=0)
    if len(known) > 1:
        raise DataError(f"{place}: {name} has two sizes, {known[0]} and {known[1]}", "correct one of them")
    return f" width='{known[0, 0]}' height='{known[0, 1]}'" if len(known) else ""


def _attribute(text: str, place: str) -> str:
    """A quoted attribute; raises DataError for what no XML 1.0 document can hold, escaped or not."""
    if re.search("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text):
        raise DataError(f"{place}: the name {text!r} holds a character that XML cannot", "rename it")
    return quoteattr(text)
