"""The file a competition scores: written, and read back before it is called done.

The order of use: `values`, `target`, `write`, `validate`, then `kptool.provenance` for the record beside the file, and
`kaggle_line`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np

from kptool.dataset import Ints, Lookup, Predictions
from kptool.errors import DataError, QualityError, UsageError
from kptool.files import write_atomic
from kptool.geometry import Floats

HEADER = "RowId,Location"
LONGEST_LINE = 200  # bytes; an honest row has about 15
ROW_ID = re.compile(r"-?[0-9]{1,18}")
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?")
FILE_NAME = re.compile(r"\w[\w .+=,@()-]*")
LONGEST_NAME = 180  # bytes; file systems end at 255, and the date and a temporary name's ending are added
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)  # Windows devices


def values(lookup: Lookup, predictions: Predictions, size: tuple[int, int]) -> Floats:
    """The (R,) values of a lookup table's rows, clipped to [0, W] for x and [0, H] for y.

    This is the only place where predictions are clipped. The pixels' centres end at W - 1 and their area at W - 0.5,
    but Kaggle's labels go further: of the facial keypoints, 10 lie beyond 95 and 5 beyond 95.5 in images of 96
    pixels (the largest is y = 95.94), and none lies under 0.69. [0, W] is the tightest whole range that no label
    leaves, so clipping can only bring a prediction nearer to its label.

    Args:
        lookup: R rows; `image` counts rows of `predictions`.
        predictions: (N, K, 2) in pixels of the original images.
        size: (W, H) of the images.

    Raises:
        QualityError: a value asked for is NaN or infinite; image and point are named, nothing is filled in.
    """
    asked = predictions.points[lookup.image, lookup.point, lookup.axis]
    bad = np.flatnonzero(~np.isfinite(asked))
    if len(bad):
        image, point, axis = (int(v[bad[0]]) for v in (lookup.image, lookup.point, lookup.axis))
        raise QualityError(
            f"image {predictions.ids[image]}: {predictions.schema.points[point]}_{'xy'[axis]} is predicted as "
            f"{asked[bad[0]]} ({len(bad)} of {len(asked)} values asked for are not finite)",
            "train again, a model that gives no number cannot be submitted",
        )
    upper = np.asarray(size, dtype=np.float64)[lookup.axis]
    clipped: Floats = np.clip(asked, 0.0, upper) + 0.0  # + 0.0 turns -0.0 into 0.0
    return clipped


def write(path: Path, lookup: Lookup, values: Floats) -> None:
    """Write a submission, atomically: the header, then one row per lookup row, in the table's order, 4 decimals."""
    assert values.shape == lookup.row_ids.shape, (values.shape, lookup.row_ids.shape)
    assert np.isfinite(values).all(), "values() refuses these"
    rows = (f"{row},{value:.4f}\n" for row, value in zip(lookup.row_ids.tolist(), values.tolist(), strict=True))
    data = f"{HEADER}\n{''.join(rows)}".encode("ascii")
    write_atomic(path, lambda temporary: temporary.write_bytes(data))


def validate(path: Path, lookup: Lookup, sample: Ints | None, size: tuple[int, int]) -> None:
    """Read a submission from disk and hold it against what the competition asks for; the order of rows is free.

    Any file may be given. It is read line by line and left at its first fault, so a wrong file of any size costs no
    more time or memory than a right one.

    Args:
        path: a CSV of `RowId,Location`; lines end in a newline, with or without a carriage return.
        lookup: the R rows asked for.
        sample: the row ids of the sample submission, or None where there is no sample.
        size: (W, H) of the images.

    Raises:
        DataError: naming file and line: another header, a RowId that is unknown, doubled or missing, a value that is
            no number or lies outside [0, W] or [0, H], a last line that is cut off.
    """
    row_ids = lookup.row_ids.tolist()
    upper = dict(zip(row_ids, np.asarray(size)[lookup.axis].tolist(), strict=True))
    _same_rows(path, set(row_ids), sample)
    found: dict[int, int] = {}
    for line, text in _lines(path):
        place = f"{path}:{line}"
        if line == 1:
            if text != HEADER:
                raise DataError(f"{place}: the header is {_shown(text)}, expected '{HEADER}'", "write it exactly so")
            continue
        row, value = _row(place, text)
        if row in found:
            raise DataError(f"{place}: RowId {row} stands here again, first in line {found[row]}", "keep one of them")
        if row not in upper:
            raise DataError(f"{place}: RowId {row} is not in the lookup table", "leave the row out")
        if not 0 <= value <= upper[row]:
            raise DataError(
                f"{place}: Location of RowId {row} is {value:g}, outside the image's 0 to {upper[row]}", "clip it"
            )
        found[row] = line
    if len(found) < len(upper):
        first = next(row for row in row_ids if row not in found)
        raise DataError(
            f"{path}:{len(found) + 1}: the file ends here and lacks {len(upper) - len(found)} of {len(upper)} RowIds, "
            f"the first is {first}",
            "write the whole table",
        )


def _same_rows(path: Path, asked: set[int], sample: Ints | None) -> None:
    if sample is None:
        return
    only = sorted(asked.symmetric_difference(sample.tolist()))
    if only:
        here, there = ("lookup table", "sample") if only[0] in asked else ("sample", "lookup table")
        raise DataError(
            f"{path}: cannot be checked, RowId {only[0]} is in the {here} and not in the {there}",
            "take both files from the same download",
        )


def _lines(path: Path) -> Iterator[tuple[int, str]]:
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
                raise DataError(f"{path}:1: the file is empty, expected '{HEADER}'", "write the file again")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}", "name a readable submission CSV") from None


def _row(place: str, text: str) -> tuple[int, float]:
    if '"' in text:
        raise DataError(f"{place}: {_shown(text)} is quoted, expected bare numbers", "write it without quotes")
    cells = text.split(",")
    if len(cells) != 2:
        columns = "1 column" if len(cells) == 1 else f"{len(cells)} columns"
        raise DataError(f"{place}: {_shown(text)} has {columns}, expected 2", f"write every row as {HEADER}")
    if not ROW_ID.fullmatch(cells[0]):
        raise DataError(f"{place}: RowId is {_shown(cells[0])}, expected a whole number", "use the lookup table's")
    if not NUMBER.fullmatch(cells[1]):
        raise DataError(f"{place}: Location is {_shown(cells[1])}, expected a number", "every row needs a value")
    return int(cells[0]), float(cells[1])


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def target(folder: Path, competition: str, run: str, today: date) -> Path:
    """Where a submission goes: <folder>/<competition>/<YYYY-MM-DD>-<run>.csv.

    Where a CSV or a JSON of that name stands already, the name ends in -2, -3 and so on: nothing is overwritten.

    Raises:
        UsageError: a name that could leave the folder or that a file system refuses.
    """
    for what, name in (("competition", competition), ("run", run)):
        if not _is_file_name(name):
            raise UsageError(
                f"{what} name {_shown(name)} cannot be used in a file name", "use letters, digits, '-', '_' and '.'"
            )
    stem, count = f"{today.isoformat()}-{run}", 1
    while True:
        path = folder / competition / (f"{stem}.csv" if count == 1 else f"{stem}-{count}.csv")
        if not any(file.exists() or file.is_symlink() for file in (path, path.with_suffix(".json"))):
            return path
        count += 1


def _is_file_name(name: str) -> bool:
    fits = FILE_NAME.fullmatch(name) and len(name.encode()) <= LONGEST_NAME
    return bool(fits) and not name.endswith((".", " ")) and not RESERVED.fullmatch(name)


def kaggle_line(competition_kaggle_name: str, path: Path, message: str) -> str:
    """The shell line that sends a submission, quoted for a POSIX shell; the message is put on one line."""
    words = ["kaggle", "competitions", "submit", "-c", competition_kaggle_name, "-f", str(path)]
    return shlex.join([*words, "-m", " ".join(message.split())])
