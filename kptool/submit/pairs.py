"""The form `pairs`: a CSV with one row a pair, `pair,score,decision`; a decision of 1 = one person, 0 = two."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Final

import numpy as np

from kptool.dataset import Mask, Names
from kptool.errors import DataError, QualityError, UsageError
from kptool.files import write_atomic
from kptool.geometry import Floats
from kptool.submit.forms import checked
from kptool.submit.rows import number, shown

FORM: Final = "pairs"
ENDING: Final = ".csv"
COLUMNS: Final = ("pair", "score", "decision")
REMEDY: Final = "write the file again"


@dataclass(frozen=True)
class PairAnswers:
    """P test pairs and what a run says of them, row for row.

    Attributes:
        ids: (P,) what each pair is called.
        score: (P,) higher = more alike.
        probability: (P,) of one person, 0 to 1.
        threshold: the score from which on a pair is taken for one person.
        places: (P,) where each pair was read, such as "pairsDevTest.txt:2"; empty text for one that was drawn.
    """

    ids: Names
    score: Floats
    probability: Floats
    threshold: float
    places: Names

    def __post_init__(self) -> None:
        pairs = (len(self.ids),)
        assert self.score.shape == self.probability.shape == self.places.shape == pairs, (self.score.shape, pairs)
        assert self.score.dtype == np.float64, "a threshold means another number among shorter floats"

    @property
    def decision(self) -> Mask:
        """(P,) True where a pair is taken for one person."""
        return np.asarray(self.score >= self.threshold)


def refuse_other_forms(names: Iterable[str], slug: str) -> None:
    """Raises UsageError where --form names one that a competition of pairs cannot have."""
    if other := next((name for name in names if name != FORM), None):
        raise UsageError(
            f"--form {other}: answers points, and {slug} asks for pairs", f"leave --form out, or write {FORM}"
        )


def write_pairs(path: Path, answers: PairAnswers) -> None:
    """Write a file, atomically, and read it back from disk; a file that fails does not stay.

    Raises:
        QualityError: a score, a probability or the threshold is NaN or infinite; the pair is named.
        DataError: a pair's name that is no Unicode text, or a file that reads otherwise than it was written.
    """
    refuse_no_number(answers)
    checked(path, lambda: _write(path, answers), lambda: check_pairs(path, answers))


def refuse_no_number(answers: PairAnswers) -> None:
    """Raises QualityError for the first pair without a number; nothing is filled in."""
    remedy = "train again, a model that gives no number cannot be submitted"
    for what, values in (("score", answers.score), ("probability", answers.probability)):
        if len(bad := np.flatnonzero(~np.isfinite(values))):
            row = int(bad[0])
            place = f"{answers.places[row]}: " if answers.places[row] else ""
            raise QualityError(
                f"{place}pair {shown(str(answers.ids[row]))}: the {what} is {values[row]} ({len(bad)} of {len(values)} "
                "are not finite)",
                remedy,
            )
    if not np.isfinite(answers.threshold):
        raise QualityError(f"the threshold is {answers.threshold}", remedy)


def check_pairs(path: Path, answers: PairAnswers) -> None:
    """Hold pairs, count, order, scores to the last bit, and decisions of a file against the answers.

    Raises:
        DataError: naming file and line.
    """
    wanted = zip(answers.ids.tolist(), answers.score.tolist(), answers.decision.tolist(), strict=True)
    line = 1
    for found, want in zip_longest(_rows(path), wanted):
        if found is None:
            raise DataError(f"{path}:{line}: the file ends here and lacks the row of {want[0]}", "write every row")
        line, (pair, score, decision) = found
        if want is None:
            raise DataError(f"{path}:{line}: a row too many, {shown(pair)}", f"end after {len(answers.ids)} rows")
        if pair != want[0]:
            raise DataError(f"{path}:{line}: pair is {shown(pair)}, expected {shown(want[0])}", "keep the file's order")
        if number(score, f"{path}:{line}: score") != want[1]:
            raise DataError(f"{path}:{line}: score of {shown(pair)} is {score}, found was {want[1]!r}", REMEDY)
        if decision != str(int(want[2])):
            raise DataError(
                f"{path}:{line}: decision of {shown(pair)} is {shown(decision)}, expected {int(want[2])}: the "
                f"threshold is {answers.threshold!r}",
                REMEDY,
            )


def _write(path: Path, answers: PairAnswers) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for pair, score, one in zip(answers.ids.tolist(), answers.score.tolist(), answers.decision.tolist(), strict=True):
        writer.writerow([pair, repr(score), int(one)])
    try:
        data = text.getvalue().encode("utf-8")
    except UnicodeEncodeError as error:
        name = error.object[max(error.start - 20, 0) : error.end]
        raise DataError(f"{path}: {shown(name)} in a pair's name is no Unicode text", "rename the picture") from None
    write_atomic(path, lambda temporary: temporary.write_bytes(data))


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of each row under the header."""
    if not path.is_file():
        raise DataError(f"{path}: there is no such file", "name a submission CSV")
    with path.open(encoding="utf-8", errors="backslashreplace", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            if (first := next(reader, [])) != list(COLUMNS):
                what, wanted = shown(",".join(first)), ",".join(COLUMNS)
                raise DataError(f"{path}:1: the header is {what}, expected '{wanted}'", "write it exactly so")
            for cells in reader:
                if len(cells) != len(COLUMNS):
                    raise DataError(f"{path}:{reader.line_num}: {len(cells)} columns, expected {len(COLUMNS)}", REMEDY)
                yield reader.line_num, cells
        except csv.Error as error:
            raise DataError(f"{path}:{reader.line_num}: {error}", REMEDY) from None
