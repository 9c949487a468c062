"""Pairs and their scores on disk, in a run's folder: parquet, one row a pair or a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from kptool.dataset import Ints, Mask, Names, rows_of
from kptool.errors import DataError
from kptool.files import write_atomic
from kptool.geometry import Floats
from kptool.pairs import Pairs

PAIRS: Final = "pairs.parquet"
PICTURES: Final = "pictures.parquet"
CLASSICAL: Final = "HOG, whitened PCA, cosine"
"""The hand-made baseline whose scores stand beside the model's, in words."""
REMEDY: Final = "restore the run's own files, or train again"


class SavedPairs(NamedTuple):
    """What a run keeps of its pairs; attributes as of `Pairs`, `images` (N,) are the pictures' ids."""

    ids: Names
    images: Names
    people: Names
    person: Ints
    first: Ints
    second: Ints
    same: Mask


class Scores(NamedTuple):
    """Scores of n pairs, higher = more alike: the model's, and the classical baseline's (NaN where it has none)."""

    ids: Names
    score: Floats
    classical: Floats


def write_pairs(folder: Path, pairs: Pairs) -> None:
    """Write pairs.parquet (id, first, second, same, place) and pictures.parquet (id, person)."""
    names = pairs.images.ids
    table = pd.DataFrame(
        {
            "id": pairs.ids.tolist(),
            "first": names[pairs.first].tolist(),
            "second": names[pairs.second].tolist(),
            "same": pairs.same,
            "place": pairs.places.tolist(),
        }
    )
    pictures = pd.DataFrame({"id": names.tolist(), "person": pairs.people[pairs.person].tolist()})
    write_atomic(folder / PICTURES, lambda temporary: pictures.to_parquet(temporary, index=False))
    write_atomic(folder / PAIRS, lambda temporary: table.to_parquet(temporary, index=False))


def read_pairs(folder: Path) -> SavedPairs:
    """Read `write_pairs` back.

    Raises:
        DataError: a file that cannot be read, lacks a column, speaks of a picture that the other does not know, or of
            one person where the other has two.
    """
    table = _read(folder / PAIRS, ("id", "first", "second", "same"))
    pictures = _read(folder / PICTURES, ("id", "person"))
    images = _names(pictures, "id")
    people, person = np.unique(_names(pictures, "person"), return_inverse=True)
    ends = [_names(table, name) for name in ("first", "second")]
    if unknown := sorted(set(np.concatenate(ends)) - set(images)):
        raise DataError(f"{folder / PAIRS}: picture {unknown[0]} is not in {PICTURES}", REMEDY)
    if table["same"].dtype != np.bool_:
        raise DataError(f"{folder / PAIRS}: column 'same' is not of true and false", REMEDY)
    first, second = (rows_of(images, end) for end in ends)
    ids, same, person = _names(table, "id"), table["same"].to_numpy(), person.reshape(-1)
    for row in np.flatnonzero(same != (person[first] == person[second])):
        kind = "one person" if same[row] else "two"
        raise DataError(f"{folder / PAIRS}: pair {ids[row]} says {kind}, its pictures' people the other", REMEDY)
    return SavedPairs(ids, images, people, person, first, second, same)


def write_scores(path: Path, scores: Scores) -> None:
    """Write id, score and classical of each pair."""
    table = pd.DataFrame({"id": scores.ids.tolist(), "score": scores.score, "classical": scores.classical})
    write_atomic(path, lambda temporary: table.to_parquet(temporary, index=False))


def read_scores(path: Path) -> Scores:
    """Read `write_scores` back; raises DataError where a column is missing or of another kind, or a score is none."""
    table = _read(path, ("id", "score", "classical"))
    for name in ("score", "classical"):
        if table[name].dtype.kind not in "fi":
            raise DataError(f"{path}: column '{name}' holds no numbers", REMEDY)
    score, classical = (table[name].to_numpy(dtype=np.float64) for name in ("score", "classical"))
    ids = _names(table, "id")
    for row in np.flatnonzero(~np.isfinite(score)):
        raise DataError(f"{path}: the score of pair {ids[row]} is {score[row]}", "train again")
    return Scores(ids, score, classical)


def join_scores(parts: Sequence[Scores], order: Names) -> tuple[Ints, Scores]:
    """Several folds' scores as one, in the data's order; and the rows of the data (P,) that they cover, ascending.

    Args:
        parts: at least one fold.
        order: (P,) every id of the data.

    Raises:
        DataError: scores of a pair that the data does not have, or two of one pair.
    """
    ids, score, classical = (np.concatenate([getattr(p, name) for p in parts]) for name in Scores._fields)
    if unknown := sorted(set(ids) - set(order)):
        raise DataError(f"pair {unknown[0]} is scored, but not one of the run's", "train again")
    rows = rows_of(order, ids)
    ascending = np.argsort(rows, kind="stable")
    for at in np.flatnonzero(np.diff(rows[ascending]) == 0):
        raise DataError(f"pair {order[rows[ascending[at]]]} is scored twice", "train again")
    return rows[ascending], Scores(ids[ascending], score[ascending], classical[ascending])


def _read(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise DataError(f"{path}: {(str(error).splitlines() or ['damaged'])[0]}", REMEDY) from None
    for name in columns:
        if name not in table:
            raise DataError(f"{path}: no column '{name}'", REMEDY)
    return table


def _names(table: pd.DataFrame, name: str) -> Names:
    return np.asarray(table[name].tolist(), dtype=np.str_)
