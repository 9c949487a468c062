"""What a run that was trained again gained on the old one: both on the same images, some parts of them at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import numpy as np

from kptool.compare.against import held
from kptool.compare.overlap import overlap, within
from kptool.compare.read import Entry
from kptool.compare.values import Difference
from kptool.dataset import Mask, rows_of
from kptool.errors import DataError
from kptool.geometry import Floats
from kptool.metrics import residuals
from kptool.report.bootstrap import SEED
from kptool.report.outcome import Outcome
from kptool.report.scored import scored
from kptool.report.words import amount, digits


class Part(NamedTuple):
    """Some images, and the labels that both runs are scored on.

    Attributes:
        over: the images and labels in words.
        rows: (N,) which images of the old run.
        labels: (N, K, 2) in the original image's px, where they are not the labels as given: those that the new run was
            trained on, which flatters it.
    """

    over: str
    rows: Mask
    labels: Floats | None = None


class Gain(NamedTuple):
    """The new run against the old one, its `base`, over one part.

    Attributes:
        flattering: whether the labels scored are not those as given.
        metric, unit: the competition's own.
    """

    over: str
    flattering: bool
    metric: str
    unit: str
    found: Difference


def gains(old: Entry, new: Entry, parts: Sequence[Part], seed: int = SEED) -> list[Gain]:
    """The new run against the old one over each part of the images that both predicted; `kptool.compare` says the same.

    A part without a label is left out.

    Raises:
        DataError: the runs are not of the same images, labels and folds, or have not predicted one of the same images.
    """
    if not _alike(old.outcome, new.outcome):
        raise DataError(f"{new.run.path} is not of the images, labels and folds of {old.run.path}", "train both again")
    common, metric = overlap([old, new]), old.outcome.metric
    pair = [scored(within(entry.outcome, common)) for entry in (old, new)]
    # What is resampled is in the order of the names, what is scored in that of the runs' rows.
    by_name, by_place = (rows_of(old.outcome.ids, ids) for ids in (common.ids, pair[0].outcome.ids))
    out = []
    for over, rows, labels in parts:
        each = pair
        if labels is not None:
            each = [replace(one, errors=residuals(one.outcome.predicted, labels[by_place])) for one in pair]
        if np.isfinite(each[0].errors[rows[by_place]]).any():
            found = next(held([new.name], each, common.group, seed, rows[by_name]))
            out.append(Gain(over, labels is not None, metric.upper(), "%" if metric == "nme" else "px", found))
    return out


def everything(outcome: Outcome) -> Mask:
    """(N,) all images."""
    return np.ones(len(outcome.ids), dtype=np.bool_)


def lines(found: Sequence[Gain]) -> list[str]:
    """The old run against the new one, a line a part."""
    out = []
    for over, flattering, metric, unit, one in found:
        places = digits(unit) + 1  # a difference is small beside what it is of
        scores = f"{metric} {amount(one.base, unit)} -> {amount(one.value, unit)}"
        span = f"95 % interval {one.low:+.{places}f} to {one.high:+.{places}f}"
        flat = "; flattering, the new run was trained on these labels" if flattering else ""
        out.append(f"{over}: {scores}, {one.difference:+.{places}f} {unit} ({span}): {one.word}{flat}")
    return out


def to_json(found: Sequence[Gain]) -> list[dict[str, Any]]:
    """The same for ``json.dumps(allow_nan=False)``; figures are called what kptool compare --json calls them."""
    told = []
    for gain in found:
        figures = asdict(gain.found)
        del figures["name"]
        told.append(gain._asdict() | figures)
        del told[-1]["found"]
    return told


def _alike(one: Outcome, two: Outcome) -> bool:
    """Whether two runs are of the same images, labels and folds; either may not have trained some of them."""
    if not np.array_equal(one.ids, two.ids):
        return False
    apart = (one.fold != two.fold) & (one.fold >= 0) & (two.fold >= 0)
    return not apart.any() and np.array_equal(one.truth, two.truth, equal_nan=True)
