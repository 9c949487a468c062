"""Marking schemes: groups of images that were marked by different rules.

One file often joins the work of several annotators: some rows carry every point, others a handful, and the same name
may be placed differently in each. The pattern of labelled points tells them apart, and at test time the pattern of
points asked for does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kptool.dataset import Ints, Mask


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
        marked, masks = labelled.astype(np.int64), self.masks.astype(np.int64)
        outside = marked @ (1 - masks).T
        cost = outside * (masks.shape[1] + 1) + masks.sum(1)
        return np.where(labelled.any(1), cost.argmin(1), 0).astype(np.int64)

    def share(self, asked: Mask) -> list[float]:
        """Fraction of the values asked for (N, K) that falls to each scheme; the mix a leaderboard scores."""
        counts = np.bincount(self.assign(asked), weights=asked.sum(1), minlength=len(self))
        return [float(v) for v in counts / max(counts.sum(), 1)]


def discover(labelled: Mask, smallest: float = 0.05) -> Schemes:
    """Find the schemes behind the patterns of labelled points (N, K).

    A pattern held by at least `smallest` of the rows is a scheme; the rest are schemes with holes. Without such a
    pattern there is one scheme of every point that is ever labelled.
    """
    patterns, counts = np.unique(labelled, axis=0, return_counts=True)
    common = patterns[(counts >= smallest * len(labelled)) & patterns.any(1)]
    if not len(common):
        common = np.asarray(labelled.any(0, keepdims=True))
    if not common.any():
        common = np.ones_like(common)
    common = common[np.lexsort((*common.T[::-1], -common.sum(1)))]
    sizes = [int(v) for v in common.sum(1)]
    names = []
    for s, size in enumerate(sizes):
        letter = "" if sizes.count(size) == 1 else f" {chr(ord('a') + sizes[:s].count(size))}"
        names.append(f"{size} point{'s' if size > 1 else ''}{letter}")
    return Schemes(common, tuple(names))
