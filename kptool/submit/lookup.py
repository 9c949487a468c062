"""The form `lookup`: a row per value that a lookup table asks for, clipped to the image.

The order of use: `values`, `write`, `validate`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kptool.dataset import Ints, Lookup, Predictions
from kptool.errors import DataError
from kptool.geometry import Floats
from kptool.submit.answers import Answers, asked
from kptool.submit.rows import columns, read_rows, same_rows, write_rows

HEADER = "RowId,Location"


def values(lookup: Lookup, predictions: Predictions, sizes: Ints) -> Floats:
    """The (R,) values of a lookup table's rows, clipped to [0, W] for x and [0, H] for y of each image.

    This is the only place where predictions are clipped. The pixels' centres end at W - 1 and their area at W - 0.5,
    but Kaggle's labels go further: of the facial keypoints, 10 lie beyond 95 and 5 beyond 95.5 in images of 96
    pixels (the largest is y = 95.94), and none lies under 0.69. [0, W] is the tightest whole range that no label
    leaves, so clipping can only bring a prediction nearer to its label.

    Args:
        lookup: R rows; `image` counts rows of `predictions`.
        predictions: (N, K, 2) in pixels of the original images.
        sizes: (N, 2) W and H of the images; 0 = not known, and then nothing is too large.

    Raises:
        QualityError: a value asked for is NaN or infinite; image and point are named, nothing is filled in.
    """
    clipped: Floats = np.clip(asked(lookup, predictions), 0.0, _upper(lookup, sizes)) + 0.0  # + 0.0 makes -0.0 0.0
    return clipped


def write(path: Path, lookup: Lookup, values: Floats, header: str = HEADER) -> None:
    """Write a submission, atomically: the header, then one row per lookup row, in the table's order, 4 decimals."""
    write_rows(path, header, lookup.row_ids, values)


def validate(path: Path, lookup: Lookup, sample: Ints | None, sizes: Ints, header: str = HEADER) -> None:
    """Read a submission from disk and hold it against what the competition asks for; the order of rows is free.

    Any file may be given. It is read line by line and left at its first fault, so a wrong file of any size costs no
    more time or memory than a right one.

    Args:
        path: a CSV of two columns; lines end in a newline, with or without a carriage return.
        lookup: the R rows asked for.
        sample: the row ids of the sample submission, or None where there is no sample.
        sizes: (N, 2) W and H of the images; 0 = not known.
        header: the first line.

    Raises:
        DataError: naming file and line: another header, a RowId that is unknown, doubled or missing, a value that is
            no number or lies outside [0, W] or [0, H], a last line that is cut off.
    """
    id_name, value_name = columns(header)
    row_ids = lookup.row_ids.tolist()
    upper = dict(zip(row_ids, _upper(lookup, sizes).tolist(), strict=True))
    _same_sample(path, set(row_ids), sample, id_name)
    seen: dict[int, int] = {}
    for line, row, value in read_rows(path, header):
        place = f"{path}:{line}"
        if row in seen:
            raise DataError(
                f"{place}: {id_name} {row} stands here again, first in line {seen[row]}", "keep one of them"
            )
        if row not in upper:
            raise DataError(f"{place}: {id_name} {row} is not in the lookup table", "leave the row out")
        if not 0 <= value <= upper[row]:
            raise DataError(
                f"{place}: {value_name} of {id_name} {row} is {value:g}, outside the image's 0 to {upper[row]:g}",
                "clip it",
            )
        seen[row] = line
    if len(seen) < len(upper):
        first = next(row for row in row_ids if row not in seen)
        raise DataError(
            f"{path}:{len(seen) + 1}: the file ends here and lacks {len(upper) - len(seen)} of {len(upper)} "
            f"{id_name}s, the first is {first}",
            "write the whole table",
        )


def write_form(path: Path, answers: Answers) -> None:
    """Write the form `lookup`."""
    write(path, answers.lookup, values(answers.lookup, answers.predictions, answers.dataset.sizes), answers.header)


def check_form(path: Path, answers: Answers) -> None:
    """`validate` a file that kptool wrote, and its order and values too."""
    lookup, sizes = answers.lookup, answers.dataset.sizes
    validate(path, lookup, answers.sample, sizes, answers.header)
    same_rows(path, answers.header, lookup.row_ids, values(lookup, answers.predictions, sizes))


def _upper(lookup: Lookup, sizes: Ints) -> Floats:
    side = np.asarray(sizes, dtype=np.float64)[lookup.image, lookup.axis]
    return np.where(side > 0, side, np.inf)


def _same_sample(path: Path, asked: set[int], sample: Ints | None, id_name: str) -> None:
    if sample is None:
        return
    only = sorted(asked.symmetric_difference(sample.tolist()))
    if only:
        here, there = ("lookup table", "sample") if only[0] in asked else ("sample", "lookup table")
        raise DataError(
            f"{path}: cannot be checked, {id_name} {only[0]} is in the {here} and not in the {there}",
            "take both files from the same download",
        )
