"""Readers of competition files: a module per format, each with the same four functions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from kptool.dataset import Dataset, Ints, Lookup
from kptool.errors import UsageError, did_you_mean
from kptool.schema import Schema

NAMES = ("drawn-faces", "kaggle-faces")


class Format(NamedTuple):
    """What a competition's files can be asked for; the Path is `--data`, None where none was given.

    Attributes:
        read_train: the labelled images.
        read_test: the images to predict, every point NaN.
        read_lookup: the values asked for, as rows of the test Dataset.
        read_sample: (R,) row ids of the sample submission, or None where there is none.
    """

    read_train: Callable[[Path | None, Schema], Dataset]
    read_test: Callable[[Path | None, Schema], Dataset]
    read_lookup: Callable[[Path | None, Dataset], Lookup]
    read_sample: Callable[[Path | None], Ints | None]


def get(name: str) -> Format:
    """The format of that name; its module is imported here, not before.

    Raises:
        UsageError: no such format, with the closest name.
    """
    if name == "kaggle-faces":
        from kptool.formats import kaggle_faces as kaggle

        return Format(kaggle.read_train, kaggle.read_test, kaggle.read_lookup, kaggle.read_sample)
    if name == "drawn-faces":
        from kptool.formats import drawn_faces as drawn

        return Format(drawn.read_train, drawn.read_test, drawn.read_lookup, drawn.read_sample)
    raise UsageError(f"no format is called '{name}'", did_you_mean(name, NAMES))
