"""From the bytes of dlib's XML to annotations, on expat: streaming, and with the line of every fault."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final
from xml.parsers import expat

import numpy as np

from kptool.annotations import Annotations, make
from kptool.errors import DataError
from kptool.formats.digits import strict_number
from kptool.formats.lines import show
from kptool.photos import inside

INSIDE: Final = {
    "dataset": "",
    "name": "dataset",
    "comment": "dataset",
    "tags": "dataset",  # of the imglab that runs in a browser
    "tag": "tags",
    "images": "dataset",
    "image": "images",
    "box": "image",
    "label": "box",
    "part": "box",
}
"""The element that each may stand in."""

SPARSE: Final = 1000
"""Cells of the points' table for every part in the file: more, and its parts are not one set of points."""

FREE: Final = 20_000_000
"""Cells of the points' table that any file may fill, 320 MB: a small one cannot ask for all memory."""

NOTE: Final = "kptool-points"
"""Target of the processing instruction that keeps the order of points; dlib passes such instructions over."""

Point = tuple[float, float]
Row = tuple[str, tuple[int, int], list[float] | None, dict[str, Point]]


def parse(chunks: Iterable[bytes], place: str, root: Path) -> Annotations:
    """A dlib XML document as annotations: points (N, K, 2) and boxes (N, 4) in px, NaN where there are none.

    Args:
        chunks: the file, in pieces of any size.
        place: what messages call it.
        root: the folder that the pictures' names are relative to.

    Raises:
        DataError: as `place:LINE: ...`: XML that is not well-formed, a document type declaration, an element in the
            wrong place, a missing attribute, a number that is none, a box without area, a part that stands twice, a
            picture's name that leaves root.
    """
    handler = _Handler(place, root)
    parser = handler.parser
    try:
        for chunk in chunks:
            parser.Parse(chunk, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        what = f"not well-formed XML ({expat.ErrorString(error.code)})"
        raise DataError(f"{place}:{error.lineno}: {what}", "correct it or export it again") from None
    except (LookupError, ValueError) as error:  # an encoding that expat does not know
        raise DataError(f"{place}:1: {error}", "save it as UTF-8") from None
    return _table(handler.rows, handler.declared, place, root)


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Part names as a file without a note is read: numbers by value where all are numbers, else by their letters."""
    names = set(names)
    if all(name.isascii() and name.isdigit() and len(name) < 10 for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def order_note(names: tuple[str, ...]) -> str:
    """The processing instruction that tells the names and order of points where `in_order` would not find them."""
    return f"<?{NOTE} {json.dumps(names).replace('>', chr(92) + 'u003e')}?>"


def _table(rows: list[Row], declared: list[str], place: str, root: Path) -> Annotations:
    found = {name for *_, parts in rows for name in parts}
    names = (*declared, *in_order(found.difference(declared)))
    total = sum(len(parts) for *_, parts in rows)
    if len(rows) * len(names) > max(FREE, SPARSE * total):
        raise DataError(f"{place}: {len(names)} part names, nearly every box has its own", "name like parts alike")
    points = np.full((len(rows), len(names), 2), np.nan)
    boxes = np.full((len(rows), 4), np.nan)
    column = {name: k for k, name in enumerate(names)}
    for row, (_, _, box, parts) in enumerate(rows):
        if box is not None:
            boxes[row] = box
        if parts:
            points[row, [column[name] for name in parts]] = list(parts.values())
    sizes = np.array([size for _, size, _, _ in rows], dtype=np.int64).reshape(-1, 2)
    return make(root, [name for name, *_ in rows], names, points, boxes, sizes=sizes)


class _Handler:
    """What expat calls; collects a row per box, and one per picture without a box."""

    def __init__(self, place: str, root: Path) -> None:
        self.place, self.root = place, root
        self.rows: list[Row] = []
        self.declared: list[str] = []
        self.stack: list[str] = [""]
        self.latin = self.boxed = False
        self.file, self.size = "", (0, 0)
        self.parser = expat.ParserCreate()
        self.parser.XmlDeclHandler = self.declaration
        self.parser.StartDoctypeDeclHandler = self.doctype
        self.parser.ProcessingInstructionHandler = self.note
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end

    @property
    def where(self) -> str:
        return f"{self.place}:{self.parser.CurrentLineNumber}"

    def declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        self.latin = (encoding or "").upper() == "ISO-8859-1"

    def doctype(self, *_: Any) -> None:
        # Entities can be declared nowhere else, so neither a billion laughs nor an external file gets further.
        raise DataError(f"{self.where}: a document type declaration (<!DOCTYPE) is not accepted", "remove it")

    def note(self, target: str, text: str) -> None:
        if target != NOTE:
            return
        try:
            names = json.loads(text)
        except (ValueError, RecursionError):
            names = None
        if not isinstance(names, list) or not all(isinstance(n, str) for n in names) or len({*names}) < len(names):
            raise DataError(f"{self.where}: {NOTE} is {show(text)}, expected a list of names", "remove it")
        self.declared = names

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        parent = self.stack[-1]
        if INSIDE.get(tag) != parent:
            spot = f"inside <{parent}>" if parent else "as the outermost element"
            raise DataError(f"{self.where}: <{tag[:40]}> {spot}", "is this dlib's XML? export it again")
        self.stack.append(tag)
        if tag == "image":
            self.file = inside(self.root, self._name(attributes, tag, "file"), self.where)
            self.size, self.boxed = self._size(attributes), False
        elif tag == "box":
            self.boxed = True
            self.rows.append((self.file, self.size, self._box(attributes), {}))
        elif tag == "part":
            self._part(attributes)

    def end(self, tag: str) -> None:
        self.stack.pop()
        if tag == "image" and not self.boxed:
            self.rows.append((self.file, self.size, None, {}))

    def _part(self, attributes: dict[str, str]) -> None:
        name, parts = self._name(attributes, "part", "name"), self.rows[-1][3]
        if name in parts:
            raise DataError(f"{self.where}: part {show(name)} stands twice in one box", "keep one of them")
        thing = f"part {show(name)}:"
        parts[name] = self._number(attributes, "x", thing), self._number(attributes, "y", thing)

    def _box(self, attributes: dict[str, str]) -> list[float]:
        box = [self._number(attributes, key, "box:") for key in ("left", "top", "width", "height")]
        if box[2] <= 0 or box[3] <= 0:
            raise DataError(f"{self.where}: box: {box[2]:g} x {box[3]:g} px, it needs an area", "correct or remove it")
        return box

    def _size(self, attributes: dict[str, str]) -> tuple[int, int]:
        """W and H; 0, 0 where neither is told, as dlib takes it."""
        if "width" not in attributes and "height" not in attributes:
            return 0, 0
        width, height = (self._number(attributes, key, "image:") for key in ("width", "height"))
        whole = width.is_integer() and height.is_integer() and max(width, height) < 1 << 31
        if not whole or min(width, height) < 0 or (width > 0) != (height > 0):
            raise DataError(f"{self.where}: image: {width:g} x {height:g} px is no size of a picture", "correct it")
        return int(width), int(height)

    def _name(self, attributes: dict[str, str], tag: str, key: str) -> str:
        if key not in attributes:
            raise DataError(f"{self.where}: <{tag}> without '{key}'", "add it")
        name = attributes[key]
        if self.latin and not name.isascii():
            # dlib says ISO-8859-1 whatever the bytes are; names that read as UTF-8 were that.
            try:
                return name.encode("latin-1").decode()
            except UnicodeError:
                pass
        return name

    def _number(self, attributes: dict[str, str], key: str, thing: str) -> float:
        text = attributes.get(key, "")
        if text.isascii() and text.isdigit() and len(text) < 16:
            return float(text)
        where = f"{self.where}: {thing} {key}"
        if not text.strip():
            raise DataError(f"{where} is missing, expected a number", "add it")
        return strict_number(text.encode(), where, "a number")
