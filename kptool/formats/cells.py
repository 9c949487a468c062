"""The cells of annotation tables in CSV: text to rows with their lines, cells to numbers, and back.

Python's csv module does the quoting (RFC 4180). A byte order mark, CRLF and blank lines are accepted. Numbers are
written by repr, so that reading them back gives every bit.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from kptool.errors import DataError
from kptool.files import write_atomic
from kptool.formats.lines import show, wrong_width
from kptool.formats.text_file import first_bytes

PICTURE: Final = ("image", "file", "filename", "image_name", "name", "path")
"""What the column with the picture's name may be called, in any case."""
_LOOK = 1 << 18  # bytes that a sniffer reads: the header of some thousand points


class Row(NamedTuple):
    """One row of a table: the 1-based line it begins on, and its cells."""

    line: int
    cells: list[str]


def split_rows(text: str, place: str) -> Iterator[Row]:
    """The rows of a CSV text that are not blank.

    Raises:
        DataError: (while iterating) a quote that is not closed, a cell above 128 KB.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for cells in reader:
            if cells:
                yield Row(line, cells)
            line = reader.line_num + 1  # a quoted cell may span lines: a row begins where the last one ended
    except csv.Error as error:
        raise DataError(f"{place}:{line}: the row is no CSV ({error})", "correct its quotes") from None


def split_table(text: str, place: str) -> tuple[list[str], Iterator[Row]]:
    """The header, names without the blanks around them, and the rows after it, each as wide as the header.

    Raises:
        DataError: an empty file, a column named twice; (while iterating) a row of another width, and as split_rows.
    """
    rows = split_rows(text, place)
    if (first := next(rows, None)) is None:
        raise DataError(f"{place}: the file is empty", "its first line must name the columns")
    header = [cell.strip() for cell in first.cells]
    for i, name in enumerate(header):
        if name in header[:i]:
            raise DataError(f"{place}:{first.line}: column {show(name)} stands twice", "keep one of them")
    return header, (_as_wide(row, len(header), place) for row in rows)


def _as_wide(row: Row, width: int, place: str) -> Row:
    if len(row.cells) != width:
        raise wrong_width(f"{place}:{row.line}", len(row.cells), width)
    return row


def look(path: Path, count: int) -> list[list[str]]:
    """The first `count` rows of a .csv file, for sniffing; empty where it is none or cannot be read."""
    if path.suffix.lower() != ".csv" or not path.is_file():
        return []
    try:
        text = first_bytes(path, _LOOK).decode("utf-8-sig", errors="replace")
        rows = csv.reader(io.StringIO(text, newline=""))
        return [[cell.strip() for cell in cells] for cells, _ in zip(rows, range(count), strict=False)]
    except csv.Error:
        return []


def number(cell: str, where: str, column: str) -> float:
    """A cell as a number; NaN where it is blank or nan.

    Raises:
        DataError: anything else, infinity too.
    """
    text = cell.strip()
    if text.lower() in ("", "nan"):
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if not math.isfinite(value) or "_" in text:  # Python reads 1_000 as a number, nobody else does
        raise DataError(f"{where}: {column} is {show(cell)}, expected a number or blank", "correct it")
    return value


def point(cells: tuple[str, str], where: str, name: str) -> tuple[float, float]:
    """The cells of a point as x, y; both NaN where both are blank.

    Raises:
        DataError: one of them is blank or no number.
    """
    x, y = number(cells[0], where, f"x of {name}"), number(cells[1], where, f"y of {name}")
    if math.isnan(x) != math.isnan(y):
        has, lacks = ("y", "x") if math.isnan(x) else ("x", "y")
        raise DataError(f"{where}: point {name} has {has} and no {lacks}", "give both, or leave both blank")
    return x, y


def flag(cell: str, where: str, column: str, labelled: bool) -> bool:
    """A cell of 0 or 1 as a truth; blank is 0.

    Raises:
        DataError: anything else, or 1 where the point is not labelled.
    """
    text = cell.strip()
    if text not in ("", "0", "1"):
        raise DataError(f"{where}: {column} is {show(cell)}, expected 0, 1 or blank", "correct it")
    if text == "1" and not labelled:
        raise DataError(f"{where}: {column} is 1 and the point has no place", "give its x and y, or clear the mark")
    return text == "1"


def whole(cell: str, where: str, column: str, least: int) -> int:
    """A cell as a whole number of at least `least`.

    Raises:
        DataError: anything else.
    """
    text = cell.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= least):
        raise DataError(f"{where}: {column} is {show(cell)}, expected a whole number from {least} up", "correct it")
    return int(text)


def shown(value: float) -> str:
    """A number as the shortest text that reads back to every bit of it; blank for NaN."""
    return "" if math.isnan(value) else repr(float(value)).removesuffix(".0")


def check_names(names: Iterable[str], path: Path) -> None:
    """Refuse point names that a table cannot tell apart.

    Raises:
        DataError: a name that is empty, has blanks around it, or stands twice.
    """
    seen: set[str] = set()
    for name in names:
        if not name or name != name.strip() or name in seen:
            what = "stands twice" if name in seen else "is empty or has blanks around it"
            raise DataError(f"{path}: point {show(name)} {what}", "rename the point, then write again")
        seen.add(name)


def write_rows(path: Path, rows: Iterable[list[str]]) -> None:
    """Write a table, atomically."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    data = text.getvalue().encode()
    write_atomic(path, lambda temporary: temporary.write_bytes(data))
