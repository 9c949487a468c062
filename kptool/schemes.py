"""Marking schemes: groups of images that were marked by different rules.

One file often joins the work of several annotators: some rows carry every point, others a handful, and the same name
may be placed differently in each. The pattern of labelled points tells them apart: of a row held out of training, the
points it has labels for; of a test row, the points it is asked for. Coordinates are never looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from kptool.dataset import Ints, Mask
from kptool.errors import UsageError
from kptool.geometry import Floats
from kptool.schema import Schema

COMMON: Final = 0.05
"""Of the rows: fewer than this are not enough to train outputs of their own."""

WORTH: Final = 1.25
"""How many times what it costs to tell a row's scheme must be saved in telling its points; holes that fall
independently reach 1, annotators who differ in d points d."""


@dataclass(frozen=True)
class Schemes:
    """The marking schemes of a competition.

    Attributes:
        masks: (S, K) bool, the points each scheme marks; the fullest first.
        names: S names, such as "15 points".
    """

    masks: Mask
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def assign(self, labelled: Mask) -> Ints:
        """(N,) scheme of each pattern (N, K): the one that leaves fewest labels outside it, then the smallest.

        A row with nothing labelled goes to the fullest scheme.
        """
        return np.where(labelled.any(1), _nearest(self.masks, labelled), 0).astype(np.int64)

    def share(self, asked: Mask) -> list[float]:
        """Fraction of the values asked for (N, K) that falls to each scheme; the mix a leaderboard scores."""
        counts = np.bincount(self.assign(asked), weights=asked.sum(1), minlength=len(self))
        return [float(v) for v in counts / max(counts.sum(), 1)]


def of_masks(masks: Mask) -> Schemes:
    """Schemes of distinct masks (S, K), the fullest first, each named by its size."""
    masks = masks[np.lexsort((*masks.T[::-1], -masks.sum(1)))]
    sizes = [int(v) for v in masks.sum(1)]
    names = []
    for s, size in enumerate(sizes):
        number = sizes[:s].count(size)
        letter = "" if sizes.count(size) == 1 else f" {chr(ord('a') + number)}" if number < 26 else f" {number + 1}"
        names.append(f"{size} point{'s' if size > 1 else ''}{letter}")
    return Schemes(masks, tuple(names))


def given(schema: Schema, lists: Sequence[Sequence[str]]) -> Schemes:
    """The schemes that a competition.toml names, point by point.

    Raises:
        UsageError: an unknown point, with the closest name; a scheme without points, with one twice, or given twice.
    """
    masks: Mask = np.zeros((len(lists), len(schema.points)), dtype=np.bool_)
    for number, (mask, points) in enumerate(zip(masks, lists, strict=True), 1):
        place = f"{schema.name}: schemes, number {number}"
        if not points:
            raise UsageError(f"{place} has no points", "name some, or leave it out")
        for point in points:
            if mask[schema.index(point)]:
                raise UsageError(f"{place} names '{point}' twice", "name each point once")
            mask[schema.index(point)] = True
        if same := np.flatnonzero((masks[: number - 1] == mask).all(1)).tolist():
            raise UsageError(f"{place} has the points of number {same[0] + 1}", "leave one of them out")
    return of_masks(masks)


def of_saved(saved: Sequence[Mapping[str, Any]], schema: Schema) -> Schemes:
    """The schemes of a run's env.json."""
    masks: Mask = np.zeros((len(saved), len(schema.points)), dtype=np.bool_)
    for row, one in zip(masks, saved, strict=True):
        row[[schema.index(point) for point in one["points"]]] = True
    return Schemes(masks, tuple(str(one["name"]) for one in saved))


def marked_by(labelled: Mask, scheme: Ints, schemes: int) -> Mask:
    """(S, K) the points that any row of each scheme has a label of, so that outputs of its own are trained on them.

    Args:
        labelled: (N, K).
        scheme: (N,) of each row, from 0 to schemes - 1.
    """
    return np.stack([labelled[scheme == s].any(0) for s in range(schemes)])


def discover(labelled: Mask, smallest: float = COMMON, mirror: Sequence[int] = ()) -> Schemes:
    """Find the schemes behind the patterns of labelled points (N, K).

    A pattern that at least `smallest` of the rows share is a scheme if labels missing at random do not explain it.
    Within a scheme points are taken to be missing independently, each at a rate of its own (the local independence of
    latent class analysis: Lazarsfeld & Henry, Latent Structure Analysis, 1968). Then the patterns of all rows can be
    written down in a certain number of nats, and a scheme more is believed where that saves `WORTH` times the nats it
    takes to say which rows are of it, and those of its own rates besides (half a log N each, as in BIC). All schemes
    that fail against the others go at once, until none fails; a pattern that lies in no fuller one stays.

    Where at least `smallest` of the rows have labels outside every common pattern, or no pattern is common, all points
    that are ever labelled are a pattern too.

    Limits. Annotators who differ in a single point cannot be told from that point missing at random, and are not.
    Points that are missing together, as behind sunglasses, look like an annotator; give the schemes where that is
    wrong. A hidden side does too, unless `mirror` is given: a pattern that is not its own mirror image is then a side.
    An annotator whose rows are so few, or so full of holes, that no whole pattern of theirs is common is not found.
    Several points that are each labelled in few rows leave patterns that lie in no common fuller one, and all stay.

    Args:
        mirror: the schema's; empty where pairs are not known.
    """
    patterns, counts = np.unique(labelled, axis=0, return_counts=True)
    counts = np.where(patterns.any(1), counts, 0)
    common = (counts >= smallest * len(labelled)) & (counts > 0)
    masks = patterns[common & ((patterns == patterns[:, list(mirror)]).all(1) if mirror else True)]
    held = (_outside(masks, patterns) == 0).any(1)
    if not len(masks) or counts[~held].sum() >= smallest * len(labelled):
        ever = labelled.any(0, keepdims=True)
        masks = np.concatenate([masks, ever | ~ever.any()])
    while len(kept := masks[_believed(masks, patterns, counts)]) < len(masks):
        masks = kept
    return of_masks(masks)


def _believed(masks: Mask, patterns: Mask, counts: Ints) -> Mask:
    """(S,) whether each of the schemes is worth its name, given the others; one in no fuller one always is."""
    rates = (masks.shape[1] + 1) / 2 * np.log(max(counts.sum(), 1))
    points, names = _nats(masks, patterns, counts)
    believed = np.ones(len(masks), dtype=np.bool_)
    for s, mask in enumerate(masks):
        others = np.delete(masks, s, axis=0)
        if (_outside(others, mask[None]) == 0).any():
            merged_points, merged_names = _nats(others, patterns, counts)
            believed[s] = merged_points - points >= WORTH * (names - merged_names) + rates
    return believed


def _nats(masks: Mask, patterns: Mask, counts: Ints) -> tuple[float, float]:
    """What it takes to write down which points of each row are labelled, given its scheme, and which scheme it has."""
    scheme = _nearest(masks, patterns)
    rows = np.bincount(scheme, weights=counts, minlength=len(masks)).astype(np.float64)
    marked = np.zeros(masks.shape)
    np.add.at(marked, scheme, patterns * counts[:, None])
    points = _nats_of(marked, rows[:, None]) + _nats_of(rows[:, None] - marked, rows[:, None])
    return float(points.sum()), float(_nats_of(rows, rows.sum(keepdims=True)).sum())


def _nats_of(part: Floats, whole: Floats) -> Floats:
    """-part · log(part / whole), 0 where there is no part."""
    share = np.divide(part, whole, out=np.ones_like(part), where=part > 0)
    return np.asarray(-part * np.log(share))


def _nearest(masks: Mask, labelled: Mask) -> Ints:
    """(N,) the mask (S, K) that leaves fewest labels (N, K) outside it, then the smallest, then the first."""
    return np.asarray((_outside(masks, labelled) * (masks.shape[1] + 1) + masks.sum(1)).argmin(1))


def _outside(masks: Mask, labelled: Mask) -> Ints:
    """(N, S) how many labels of each pattern (N, K) each mask (S, K) leaves out."""
    return labelled.astype(np.int64) @ (~masks).astype(np.int64).T
