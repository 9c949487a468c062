"""From a path to what is checked: a competition's two sets, or one annotation file or folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kptool.annotations import Annotations
from kptool.competitions import find, read_recipe
from kptool.config import Competition
from kptool.dataset import Dataset
from kptool.errors import DataError, MissingFileError
from kptool.formats import get, table
from kptool.formats.annotated import to_dataset
from kptool.schema import check_mirror

SIDES = (("left", "right"), ("Left", "Right"), ("LEFT", "RIGHT"))


@dataclass(frozen=True)
class Read:
    """What was read, before a picture is decoded.

    Attributes:
        sets: (name, dataset): "train", and "test" where there is one.
        outside: what training does with far points.
        notes: what could not be read and was not needed.
    """

    sets: list[tuple[str, Dataset]]
    outside: Literal["keep", "mask", "fail"]
    notes: tuple[str, ...]


def read_competition(name: str, data: Path) -> Read:
    """Both sets of a competition, from the folder that `kptool cv NAME --data` takes.

    Raises:
        UsageError: no such competition.
        DataError: a fault in its annotation files; the test files may be absent.
    """
    found = find(name)
    schema, files = found.competition.schema_of_points, get(found.competition)
    outside = read_recipe(found).data.outside
    sets = [("train", files.read_train(data, schema))]
    try:
        sets.append(("test", files.read_test(data, schema)))
    except MissingFileError as error:
        return Read(sets, outside, (f"no test set was checked: {error.message}",))
    return Read(sets, outside, ())


def read_annotations(path: Path, name: str | None) -> Read:
    """One annotation file or folder; left/right pairs are read off the points' names where they fit the labels.

    Args:
        name: the format; None = by the looks of it.

    Raises:
        UsageError: an unknown format, or several that fit.
        DataError: no format fits, or a fault in the file.
    """
    if not path.exists():
        raise MissingFileError(f"{path}: no such file or folder", "check the path")
    format_ = table.get(name if name is not None else table.sniff(path))
    found = format_.read(path)
    dataset = _dataset(format_.name, found, guess_pairs(list(found.names)))
    try:
        check_mirror(dataset.schema, dataset.points)
    except DataError:  # a guess of ours, so no fault of the file
        dataset = _dataset(format_.name, found, [])
    return Read([("train", dataset)], "fail", ())


def _dataset(format_: str, found: Annotations, pairs: list[tuple[str, str]]) -> Dataset:
    table_ = {"slug": "data", "title": "", "format": format_, "points": list(found.names), "pairs": pairs or None}
    competition = Competition.model_validate(table_)
    return to_dataset(found, competition, competition.schema_of_points)


def guess_pairs(names: list[str]) -> list[tuple[str, str]]:
    """Pairs of names that differ in left and right alone."""
    pairs = []
    for left, right in SIDES:
        for name in names:
            other = name.replace(left, right)
            if other != name and other in names:
                pairs.append((name, other))
    return pairs
