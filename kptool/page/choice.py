"""Which faces a page shows: the worst, the worst of every point, the best, and some by lot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from kptool import metrics
from kptool.dataset import Ints
from kptool.geometry import Floats
from kptool.report.scored import Scored
from kptool.report.sums import sums

MOST: Final = 360  # faces of a page; fewer where they fill its bytes
WORST, BEST = 96, 24
OF_POINTS: Final = 96  # faces for being the worst of a point, over all points
KINDS: Final = ("worst", "worst of a point", "best", "by lot")


@dataclass(frozen=True)
class Choice:
    """Faces in the order in which they deserve their bytes.

    Attributes:
        rows: (n,) of the images predicted.
        kinds: n times the places in KINDS of why it was chosen; nothing where all faces were.
        errors: (n,) the leading metric of each alone; NaN where it cannot be told.
        of: how many could have been chosen.
    """

    rows: Ints
    kinds: tuple[tuple[int, ...], ...]
    errors: Floats
    of: int

    @property
    def whole(self) -> bool:
        """True where nothing was left out."""
        return len(self.rows) == self.of


def choose(found: Scored, most: int = MOST) -> Choice:
    """Choose faces that have a label; the lot is drawn with a fixed seed, so that a run has one page."""
    away, each = metrics.lengths(found.errors), image_scores(found)
    labelled = np.flatnonzero(np.isfinite(away).any(1))
    rank = labelled[np.lexsort((labelled, -np.nan_to_num(each[labelled], nan=-1)))]  # worst first, unknown last
    told = rank[~np.isnan(each[rank])]
    lot = np.random.default_rng(0).permutation(labelled)
    lists: tuple[Sequence[int] | Ints, ...] = (told[:WORST], _of_points(away), told[::-1][:BEST], lot[:most])
    reasons: dict[int, list[int]] = {}
    for place in range(max(map(len, lists))):  # in turn, so that a page cut short still has some of each
        for kind, rows in enumerate(lists):
            if place < len(rows):
                reasons.setdefault(int(rows[place]), []).append(kind)
    rows = np.array(list(reasons)[:most], dtype=np.int64)
    return Choice(rows, tuple(tuple(reasons[int(row)]) for row in rows), each[rows], len(labelled))


def image_scores(found: Scored) -> Floats:
    """(n,) the leading metric of each image alone; NaN where it has no label or nothing to divide by."""
    parts = sums(found)
    mean = np.where(parts.count > 0, parts.total / np.maximum(parts.count, 1), np.nan)
    return np.asarray(np.sqrt(mean) if parts.root else mean)


def _of_points(away: Floats) -> list[int]:
    """The worst faces of every point, the worst of each point first."""
    count = away.shape[1]
    deep = int(np.clip(OF_POINTS // count, 1, 8))
    order = np.argsort(-np.nan_to_num(away, nan=-1), axis=0, kind="stable")[:deep]
    seen = np.take_along_axis(np.isfinite(away), order, axis=0)
    return list(dict.fromkeys(int(row) for row in order[seen]))
