"""The form `long`: a row per coordinate in file order, numbered from 0, as the class Kaggle of iBUG 300-W scores it.

Image by image, point by point, x then y. Nothing is clipped: points of a face that leaves its photo lie outside it.
"""

from __future__ import annotations

from pathlib import Path

from kptool.submit.answers import Answers, asked
from kptool.submit.rows import same_rows, write_rows


def write_form(path: Path, answers: Answers) -> None:
    """Write all 2NK coordinates with four decimals."""
    whole = answers.whole
    write_rows(path, answers.header, whole.row_ids, asked(whole, answers.predictions))


def check_form(path: Path, answers: Answers) -> None:
    """Hold ids, count, order and values of a file against the predictions; raises DataError with file and line."""
    whole = answers.whole
    same_rows(path, answers.header, whole.row_ids, asked(whole, answers.predictions))
