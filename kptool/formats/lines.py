"""From blocks of bytes to the lines and fields of a CSV table, with bounded memory and the number of every line.

Kaggle's tables are plain: no field holds a comma or a line break. Quotes around a field are taken off; CRLF, a byte
order mark, a missing final newline and blank lines at the end are accepted.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from kptool.errors import DataError, did_you_mean

LONGEST_LINE = 1 << 20
"""Bytes; a row of 9216 pixels takes at most 37 KB."""


@dataclass(frozen=True)
class Lines:
    """Consecutive lines without their line ends.

    Attributes:
        first: 1-based number of the first of them.
        lines: the bytes of each.
        cut: the file ends in the last of them, without a newline.
    """

    first: int
    lines: list[bytes]
    cut: bool


def read_table(chunks: Iterable[bytes], place: str) -> tuple[list[str], Iterator[Lines]]:
    """The names in the header, and the lines after it.

    Args:
        chunks: the file, in pieces of any size.
        place: what messages call the file.

    Raises:
        DataError: (also while iterating) an empty file, a blank line between rows, a line above LONGEST_LINE, a
            header that is not UTF-8.
    """
    blocks = _blocks(chunks, place)
    start = next(blocks, None)
    if start is None:
        raise DataError(f"{place}: the file is empty", "download it again")
    try:
        names = [field.strip().decode() for field in split_fields(start.lines[0].removeprefix(codecs.BOM_UTF8))]
    except UnicodeDecodeError:
        raise DataError(f"{place}:1: the header is not UTF-8 text", "save the table as UTF-8 CSV") from None
    after = Lines(2, start.lines[1:], start.cut)
    return names, chain([after] if after.lines else [], blocks)


def _blocks(chunks: Iterable[bytes], place: str) -> Iterator[Lines]:
    """Complete lines, a chunk's worth at a time; trailing blank lines are dropped and no block is empty."""
    rest, first, blank = b"", 1, 0
    for chunk in chain(chunks, [b""]):
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop() if chunk else b""
        good: list[bytes] = []
        fault = None
        for number, line in enumerate(lines, first):
            if not line or line.isspace():
                blank = blank or number
                continue
            if blank:
                fault = DataError(f"{place}:{blank}: the line is blank and rows follow it", "remove the line")
            elif len(line) > LONGEST_LINE:
                fault = _too_long(place, number)
            if fault:
                break
            good.append(line.removesuffix(b"\r"))
        if good:  # before the fault: a bad row above it is the first thing to tell
            yield Lines(first, good, cut=not chunk)
        if fault:
            raise fault
        first += len(lines)
        if len(rest) > LONGEST_LINE:
            raise _too_long(place, first)


def _too_long(place: str, number: int) -> DataError:
    return DataError(f"{place}:{number}: the line is longer than {LONGEST_LINE} bytes", "is this the right file?")


def split_fields(line: bytes, long: int = 0) -> list[bytes]:
    """The fields of a line, quotes around whole fields taken off; `long` is where the longest is expected."""
    # split looks at every byte in turn, `in` at many at once: 34 KB of pixels in the last field are skipped.
    fields = line.split(b",", long)
    if b"," in fields[-1]:
        fields = line.split(b",")
    if b'"' in line:
        return [f[1:-1] if len(f) > 1 and f.startswith(b'"') and f.endswith(b'"') else f for f in fields]
    return fields


def read_cells(
    chunks: Iterable[bytes], place: str, needed: tuple[str, ...], optional: tuple[str, ...] = ()
) -> Iterator[tuple[int, list[str]]]:
    """A small table as (line number, the text of each `needed` column), row by row.

    `optional` columns may be absent from the header, and from the end of any row.

    Raises:
        DataError: (while iterating) what `read_table` and `check_columns` raise, a row with too few or too many
            fields, text that is not UTF-8, no rows at all.
    """
    names, blocks = read_table(chunks, place)
    check_columns([name for name in names if name not in optional], needed, place)
    order = [names.index(name) for name in needed]
    least = max(order) + 1
    row = 0
    for block in blocks:
        for row, line in enumerate(block.lines, block.first):
            fields = split_fields(line)
            if not least <= len(fields) <= len(names):
                raise wrong_width(f"{place}:{row}", len(fields), len(names))
            try:
                yield row, [fields[i].strip().decode() for i in order]
            except UnicodeDecodeError:
                raise DataError(f"{place}:{row}: the line is not UTF-8 text", "save the table as UTF-8 CSV") from None
    if not row:
        raise no_rows(place)


def check_columns(names: list[str], wanted: Iterable[str], place: str) -> None:
    """Refuse a header that does not hold exactly `wanted`, in any order.

    Raises:
        DataError: a column named twice, an unknown column with the closest missing name, a missing column.
    """
    wanted = list(wanted)
    missing = [name for name in wanted if name not in names]
    for i, name in enumerate(names):
        if name not in wanted:
            raise DataError(f"{place}:1: unknown column {show(name)}", did_you_mean(name, missing or wanted))
        if name in names[:i]:
            raise DataError(f"{place}:1: column '{name}' stands twice", "keep one of them")
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise DataError(f"{place}:1: no column '{missing[0]}'{more}", f"the header must name: {', '.join(wanted)}")


def wrong_width(where: str, found: int, expected: int) -> DataError:
    """The error for a row whose fields do not match the header."""
    return DataError(
        f"{where}: the row has {found} field{'s' * (found != 1)}, expected {expected} as in the header",
        "add or remove fields",
    )


def no_rows(place: str) -> DataError:
    """The error for a table that ends with its header."""
    return DataError(f"{place}: no rows after the header", "download it again")


def show(text: bytes | str) -> str:
    """A cell for a message: quoted, on one line, cut at 40 characters."""
    short = text if len(text) <= 40 else text[:40]
    try:
        quoted = repr(short.decode() if isinstance(short, bytes) else short)
    except UnicodeDecodeError:
        quoted = repr(short)[1:]
    return quoted if len(text) <= 40 else f"{quoted}..."
