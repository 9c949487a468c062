"""CSV files of two columns, a whole number and a value: written, and read line by line without trust."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np

from kptool.dataset import Ints
from kptool.errors import DataError, UsageError
from kptool.files import write_atomic
from kptool.geometry import Floats

LONGEST_LINE = 200  # bytes; an honest row has about 15
DECIMALS = 4
ROUNDED = 0.5 * 10.0**-DECIMALS * (1 + 1e-6)  # px; the last factor is for the binary fractions on either side
ROW_ID = re.compile(r"-?[0-9]{1,18}")
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?")
HEADER = re.compile(r"[!-~][ -~]{0,80},[!-~][ -~]{0,80}")


def columns(header: str) -> tuple[str, str]:
    """The names of both columns; raises UsageError where a competition's header is not two of them."""
    names = header.split(",")
    if not HEADER.fullmatch(header) or len(names) != 2 or '"' in header:
        raise UsageError(
            f"competition.toml: header is {shown(header)}, expected two columns", "write it as header = 'Id,Predicted'"
        )
    return names[0], names[1]


def decimals(value: float) -> str:
    """A coordinate as text with four decimals; never -0.0000."""
    return f"{round(value, DECIMALS) + 0.0:.{DECIMALS}f}"


def write_rows(path: Path, header: str, row_ids: Ints, values: Floats) -> None:
    """Write header and rows, atomically, four decimals.

    Raises:
        UsageError: a header that is not two columns.
    """
    columns(header)
    assert values.shape == row_ids.shape, (values.shape, row_ids.shape)
    assert np.isfinite(values).all(), "asked() refuses these"
    rows = (f"{row},{decimals(value)}\n" for row, value in zip(row_ids.tolist(), values.tolist(), strict=True))
    data = "".join(chain([f"{header}\n"], rows)).encode("ascii")
    write_atomic(path, lambda temporary: temporary.write_bytes(data))


def read_rows(path: Path, header: str) -> Iterator[tuple[int, int, float]]:
    """Line number, row id and value of each row; the file is left at its first fault.

    Raises:
        DataError: naming file and line: another header, a row that is not two bare numbers, a last line cut off.
    """
    names = columns(header)
    for line, text in _lines(path, header):
        place = f"{path}:{line}"
        if line > 1:
            yield line, *_row(place, text, names)
        elif text != header:
            raise DataError(f"{place}: the header is {shown(text)}, expected '{header}'", "write it exactly so")


def same_rows(path: Path, header: str, row_ids: Ints, values: Floats) -> None:
    """Hold a file against the rows it must have, in their order, and against their values within the rounding.

    Raises:
        DataError: as `read_rows` does, or naming the line where the file first differs.
    """
    id_name, value_name = columns(header)
    wanted = zip(row_ids.tolist(), values.tolist(), strict=True)
    line = 1
    for found, want in zip_longest(read_rows(path, header), wanted):
        if found is None:
            assert want is not None
            raise DataError(
                f"{path}:{line}: the file ends here with {line - 1} of {len(row_ids)} rows, the next {id_name} is "
                f"{want[0]}",
                "write every row",
            )
        line, row, value = found
        if want is None:
            raise DataError(f"{path}:{line}: a row too many, {id_name} {row}", f"end after {len(row_ids)} rows")
        if row != want[0]:
            raise DataError(f"{path}:{line}: {id_name} is {row}, expected {want[0]}", "write the rows in file order")
        if not abs(value - want[1]) <= ROUNDED:
            raise DataError(
                f"{path}:{line}: {value_name} of {id_name} {row} is {value:g}, predicted was {decimals(want[1])}",
                "write the file again",
            )


def _lines(path: Path, header: str) -> Iterator[tuple[int, str]]:
    """Numbered lines without their ends; bytes that are not ASCII become backslash escapes."""
    if not path.is_file():  # also keeps a pipe or a device from being waited for
        raise DataError(f"{path}: there is no such file", "name a submission CSV")
    try:
        with path.open("rb") as file:
            line = 0
            while data := file.readline(LONGEST_LINE):
                line += 1
                if line == 1 and data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
                    raise DataError(f"{path}:1: begins with a byte order mark", "save it as plain ASCII or UTF-8")
                if not data.endswith(b"\n"):
                    text = f"longer than {LONGEST_LINE} bytes" if len(data) == LONGEST_LINE else "cut off"
                    raise DataError(f"{path}:{line}: the line is {text}, no newline ends it", "write the file again")
                yield line, data[:-1].removesuffix(b"\r").decode("ascii", "backslashreplace")
            if line == 0:
                raise DataError(f"{path}:1: the file is empty, expected '{header}'", "write the file again")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}", "name a readable submission CSV") from None


def _row(place: str, text: str, names: tuple[str, str]) -> tuple[int, float]:
    if '"' in text:
        raise DataError(f"{place}: {shown(text)} is quoted, expected bare numbers", "write it without quotes")
    cells = text.split(",")
    if len(cells) != 2:
        count = "1 column" if len(cells) == 1 else f"{len(cells)} columns"
        raise DataError(f"{place}: {shown(text)} has {count}, expected 2", f"write every row as {','.join(names)}")
    if not ROW_ID.fullmatch(cells[0]):
        raise DataError(f"{place}: {names[0]} is {shown(cells[0])}, expected a whole number", "take it from the table")
    return int(cells[0]), number(cells[1], f"{place}: {names[1]}")


def number(text: str, what: str) -> float:
    """A bare decimal number; raises DataError with `what` (place and name) for everything else."""
    if not NUMBER.fullmatch(text):
        raise DataError(f"{what} is {shown(text)}, expected a number", "every row needs a value")
    return float(text)


def shown(text: str) -> str:
    """A piece of a file as a message can hold it."""
    return repr(text if len(text) <= 40 else text[:37] + "...")
