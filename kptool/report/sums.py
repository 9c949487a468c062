"""The leading metric taken apart into what each image adds, for resampling."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kptool import metrics
from kptool.dataset import Ints
from kptool.geometry import Floats
from kptool.report.scored import Scored


@dataclass(frozen=True)
class Sums:
    """What each image adds to a metric, which is total/count over images, or the root of that.

    Attributes:
        total, count: (n,).
        root: whether the root is taken.
    """

    total: Floats
    count: Floats
    root: bool

    def take(self, rows: Ints) -> Sums:
        """Those of some images, in the order of `rows`."""
        return replace(self, total=self.total[rows], count=self.count[rows])


def sums(scored: Scored) -> Sums:
    """The leading metric of `Scored.leading` in sums: squares, absolute values, or the images' own errors in %."""
    outcome, errors = scored.outcome, scored.errors
    if outcome.metric == "nme":
        each = 100 * metrics.image_errors(metrics.lengths(errors), scored.lengths[outcome.normaliser])
        each = each[:, None, None]
    else:
        each = np.square(errors) if outcome.metric == "rmse" else np.abs(errors)
    seen = ~np.isnan(each)
    total, count = np.where(seen, each, 0).sum((1, 2)), seen.sum((1, 2)).astype(np.float64)
    return Sums(total, count, outcome.metric == "rmse")
