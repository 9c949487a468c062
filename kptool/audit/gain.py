"""What training on edited labels gained, scored so that the edits cannot flatter it.

Edits come from a run's own answers. They change what is trained on and never what is scored: both runs are scored on
the labels as given, on all images, a dropped one like any other. The model that is judged on fold f is trained without
fold f, so edits of the rows of fold f play no part in its score; nor could they help it to a smaller error against
those labels. What is left of a leak is slight: the edits of the other folds came from models that had seen fold f's
labels, and so what the judged model is trained on depends a little on what it is judged by. If anything, that makes
the gain look larger.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from kptool.compare.values import Word
from kptool.compare.verdict import word
from kptool.dataset import Mask
from kptool.errors import DataError
from kptool.metrics import residuals
from kptool.report.bootstrap import interval, resample
from kptool.report.outcome import Outcome
from kptool.report.scored import Scored, scored
from kptool.report.sums import sums


class Gain(NamedTuple):
    """The new run against the old one.

    Attributes:
        over: the images and labels that both are scored on.
        flattering: whether the labels scored are the edited ones.
        metric, unit: the competition's own.
        before, after: of the old run and of the new one.
        difference: after - before; below 0 is better.
        low, high: its 95 % interval, see `report.bootstrap`.
        images, groups: how many are scored, and how many groups were drawn.
        word: what the interval says.
    """

    over: str
    flattering: bool
    metric: str
    unit: str
    before: float
    after: float
    difference: float
    low: float
    high: float
    images: int
    groups: int
    word: Word


def gains(old: Outcome, new: Outcome, questioned: Collection[str]) -> list[Gain]:
    """The new run against the old one: on all labels as given, on the images without a new edit, on edited labels.

    Args:
        new: of a run that was trained on edited labels.
        questioned: ids of the images that the edits speak of.

    Raises:
        DataError: the two runs have not predicted the same images and labels.
    """
    for name in ("ids", "fold", "truth"):
        if not np.array_equal(getattr(old, name), getattr(new, name), equal_nan=name == "truth"):
            raise DataError(f"run {new.run} is not of the images, labels and folds of {old.run}", "train both again")
    pair = [scored(one) for one in (old, new)]
    ids = pair[0].outcome.ids
    group = np.arange(len(ids)) if pair[0].outcome.group is None else pair[0].outcome.group
    everything: Mask = np.ones(len(ids), dtype=np.bool_)
    out = [_gain(pair, group, everything, "all images, labels as given")]
    calm = ~np.isin(ids, list(questioned))
    if calm.any() and not calm.all():
        out.append(_gain(pair, group, calm, "images without an edit, labels as given"))
    if new.edited is not None:
        labels = new.edited.labels[new.fold >= 0]
        edited = [replace(one, errors=residuals(one.outcome.predicted, labels)) for one in pair]
        out.append(_gain(edited, group, everything, "all images, edited labels", flattering=True))
    return out


def _gain(
    pair: list[Scored], group: np.ndarray[tuple[int, ...], np.dtype[np.int64]], rows: Mask, over: str,
    flattering: bool = False,
) -> Gain:  # fmt: skip
    chosen, outcome = np.flatnonzero(rows), pair[0].outcome
    found = [sums(one).take(chosen) for one in pair]
    before, after = (one.leading(one.errors, rows) for one in pair)
    told = found[0].count > 0
    groups = len(np.unique(group[chosen][told]))
    drawn = resample(found, np.unique(group[chosen], return_inverse=True)[1].reshape(-1))
    low, high = interval(drawn[1] - drawn[0])
    unit = "%" if outcome.metric == "nme" else "px"
    verdict = word(low, high, groups)
    return Gain(
        over, flattering, outcome.metric.upper(), unit, before, after, after - before, low, high, int(told.sum()),
        groups, verdict,
    )  # fmt: skip
