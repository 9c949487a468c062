"""Which scheme fills a missing point, how sure that is, and the set of soft labels that comes of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kptool.calibration import scaled_radii
from kptool.dataset import Ints, Mask
from kptool.geometry import Floats
from kptool.metrics import lengths
from kptool.relabel.teachers import Answers, held_out
from kptool.soft_labels import SoftSet


class Labels(NamedTuple):
    """The labels of N images and who may learn from which.

    Attributes:
        truth: (N, K, 2) as read, px of the original images; what errors are measured by.
        taught: (N, K) whether a label is left after the recipe's edits.
        fold: (N,) who holds an image out.
        scheme: (N,) the marking scheme of each.
        masks: (S, K) the points of each scheme.
    """

    truth: Floats
    taught: Mask
    fold: Ints
    scheme: Ints
    masks: Mask

    @property
    def missing(self) -> Mask:
        """(N, K) what a soft label may fill; images without any label are not trained on."""
        return ~self.taught & self.taught.any(1, keepdims=True)


class Teacher(NamedTuple):
    """One fold's model as it teaches.

    Attributes:
        answers: what it found.
        source: (S, K) the scheme that fills a point in an image of each scheme; -1 = none.
        factor: (S, K) by which the spread of an answer in each scheme becomes its radius; NaN = not known.
    """

    answers: Answers
    source: Ints
    factor: Floats


def teachers(labels: Labels, answers: dict[int, Answers], level: float) -> dict[int, Teacher]:
    """Each fold's model, its radii made of the errors of the others."""
    found, spread = held_out(answers, labels.fold, labels.scheme)
    away, out = lengths(found - labels.truth), dict[int, Teacher]()
    marked = np.where(labels.masks[labels.scheme], away, np.nan)
    for own, one in answers.items():
        others = (labels.fold != own) & np.isin(labels.fold, list(answers))
        count = len(labels.masks)
        factor = scaled_radii(marked[others], spread[others], labels.scheme[others], count, level)[:count]
        out[own] = Teacher(one, sources(labels, labels.fold != own), factor)
    return out


def sources(labels: Labels, rows: Mask) -> Ints:
    """(S, K) the scheme that fills a point in images of each scheme, told by the labels of some rows (N,).

    It is the image's own where that marks the point, else the one with most labels of it; -1 where nobody marks it.
    """
    count = len(labels.masks)
    own = [labels.taught[rows & (labels.scheme == s)].sum(0) for s in range(count)]
    known = np.where(labels.masks, np.stack(own), 0)
    best = np.where(known.any(0), known.argmax(0), -1)
    return np.where(known > 0, np.arange(count)[:, None], best)


def make_set(labels: Labels, teacher: Teacher, fold: int) -> SoftSet:
    """What the students of a fold may learn from its teacher: missing points of the images that it trains on."""
    source = teacher.source[labels.scheme]
    open_to = labels.missing & (labels.fold != fold)[:, None]
    rows, schemes, points, radius = [], [], [], []
    for t in range(len(labels.masks)):
        found, spread = teacher.answers.by(t)
        take = open_to & (source == t) & np.isfinite(found).all(-1)
        some = np.flatnonzero(take.any(1))
        rows.append(some)
        schemes.append(np.full(len(some), t))
        points.append(np.where(take[some, :, None], found[some], np.nan))
        radius.append(np.where(take[some], teacher.factor[t] * spread[some], np.nan))
    row, scheme = np.concatenate(rows), np.concatenate(schemes)
    order = np.lexsort((scheme, row))
    return SoftSet(row[order], scheme[order], np.concatenate(points)[order], np.concatenate(radius)[order])
