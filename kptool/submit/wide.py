"""The form `wide`: a CSV with one row a face, `image,<point>_x,<point>_y,...`; nothing is clipped."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import numpy as np

from kptool.errors import DataError
from kptool.files import write_atomic
from kptool.submit.answers import Answers, every_point
from kptool.submit.rows import ROUNDED, decimals, number, shown


def header(answers: Answers) -> list[str]:
    """The columns: image, then x and y of each point."""
    return ["image", *answers.dataset.schema.columns]


def write_form(path: Path, answers: Answers) -> None:
    """Write N rows with four decimals; UTF-8, quotes only around what needs them.

    Raises:
        DataError: a picture's name that is no Unicode text.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header(answers))
    for file, row in zip(answers.files.tolist(), every_point(answers).reshape(len(answers.files), -1), strict=True):
        writer.writerow([file, *map(decimals, row.tolist())])
    try:
        data = text.getvalue().encode("utf-8")
    except UnicodeEncodeError as error:
        name = error.object[max(error.start - 20, 0) : error.end]
        raise DataError(f"{path}: {shown(name)} in a picture's name is no Unicode text", "rename the picture") from None
    write_atomic(path, lambda temporary: temporary.write_bytes(data))


def check_form(path: Path, answers: Answers) -> None:
    """Hold pictures, count, order and values of a file against the predictions.

    Raises:
        DataError: naming file and line.
    """
    columns, files = header(answers), answers.files.tolist()
    points = every_point(answers).reshape(len(files), -1)
    line = 1
    for found, want in zip_longest(_rows(path, columns), zip(files, points, strict=True)):
        if found is None:
            raise DataError(f"{path}:{line}: the file ends here and lacks the row of {want[0]}", "write every row")
        line, image, cells = found
        if want is None:
            raise DataError(f"{path}:{line}: a row too many, {shown(image)}", f"end after {len(files)} rows")
        if image != want[0]:
            raise DataError(f"{path}:{line}: image is {shown(image)}, expected {want[0]}", "keep the files' order")
        values = np.array([number(c, f"{path}:{line}: {n}") for n, c in zip(columns[1:], cells, strict=True)])
        off = np.flatnonzero(~(np.abs(values - want[1]) <= ROUNDED))
        if len(off):
            name, cell, wanted = columns[1 + off[0]], cells[off[0]], decimals(float(want[1][off[0]]))
            raise DataError(f"{path}:{line}: {name} is {cell}, predicted was {wanted}", "write the file again")


def _rows(path: Path, columns: list[str]) -> Iterator[tuple[int, str, list[str]]]:
    """Line, picture and coordinates of each row under the header."""
    if not path.is_file():
        raise DataError(f"{path}: there is no such file", "name a submission CSV")
    with path.open(encoding="utf-8", errors="backslashreplace", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            first = next(reader, [])
            if first != columns:
                what, wanted = shown(",".join(first)), shown(",".join(columns))
                raise DataError(f"{path}:1: the header is {what}, expected {wanted}", "write it exactly so")
            for cells in reader:
                if len(cells) != len(columns):
                    raise DataError(
                        f"{path}:{reader.line_num}: {len(cells)} columns, expected {len(columns)}",
                        "write the row again",
                    )
                yield reader.line_num, cells[0], cells[1:]
        except csv.Error as error:
            raise DataError(f"{path}:{reader.line_num}: {error}", "write the file again") from None
