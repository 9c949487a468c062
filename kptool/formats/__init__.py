"""Readers of competition files: a module per format, each with the same four functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from kptool.config import Competition
from kptool.dataset import Dataset, Ints, Lookup
from kptool.schema import Schema


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


def get(competition: Competition) -> Format:
    """The reader of a competition's files; its module is imported here, not before."""
    if competition.format == "kaggle-faces":
        from kptool.formats import kaggle_faces as kaggle

        return Format(kaggle.read_train, kaggle.read_test, kaggle.read_lookup, kaggle.read_sample)
    if competition.format == "drawn-faces":
        from kptool.formats import drawn_faces as drawn

        return Format(drawn.read_train, drawn.read_test, drawn.read_lookup, drawn.read_sample)
    from kptool.formats import annotated
    from kptool.formats.whole import whole_lookup

    return Format(
        partial(annotated.read_train, competition),
        partial(annotated.read_test, competition),
        lambda _, test: whole_lookup(test),
        lambda _: None,
    )
