"""The paired cluster bootstrap: what a difference would have been, had other images been drawn.

Images of one group (duplicates, mirrored copies, a person) are no independent witnesses, so whole groups are drawn
with replacement, as many as there are, the same ones for every run (Davison and Hinkley, "Bootstrap Methods and their
Application", 1997, section 3.8; Field and Welsh, "Bootstrapping clustered data", 2007). Every metric here is a ratio of
sums over images, so a resample needs only how often each group was drawn: its weighted sums give the metric.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from kptool.compare.values import Word
from kptool.dataset import Ints
from kptool.geometry import Floats
from kptool.report.sums import Sums

RESAMPLES: Final = 2000
SEED: Final = 0
LEVEL: Final = 0.95
FEWEST: Final = 10  # groups; with fewer a percentile interval is far too narrow
_CELLS: Final = 1 << 20  # weights held at a time


def resample(found: list[Sums], group: Ints, resamples: int = RESAMPLES, seed: int = SEED) -> Floats:
    """(R, resamples) the metric of each run under the same draws.

    Args:
        found: R runs over the same n images and labels.
        group: (n,) which images are drawn together.

    Images without a label add nothing, and a group of such images alone is not drawn.
    """
    count = np.bincount(group, found[0].count)
    assert all(np.array_equal(one.count, found[0].count) for one in found), "different labels"
    drawn = np.flatnonzero(count > 0)
    totals = [np.ascontiguousarray(np.bincount(group, one.total)[drawn]) for one in found]
    count, generator = count[drawn], np.random.default_rng(seed)
    out, step = np.empty((len(found), resamples)), max(1, _CELLS // len(drawn))
    for start in range(0, resamples, step):
        some = slice(start, min(start + step, resamples))
        times = _times(generator, some.stop - start, len(drawn))
        below = times @ count
        for row, total in zip(out, totals, strict=True):
            # One product a run: in one of many, equal runs could be summed in different orders.
            row[some] = times @ total / below
    return np.sqrt(out) if found[0].root else out


def _times(generator: np.random.Generator, resamples: int, groups: int) -> Floats:
    """(resamples, groups) how often each group is drawn: multinomial counts."""
    picks = generator.integers(groups, size=(resamples, groups))
    picks += groups * np.arange(resamples)[:, None]
    return np.bincount(picks.ravel(), minlength=resamples * groups).reshape(resamples, groups).astype(np.float64)


def interval(differences: Floats) -> tuple[float, float]:
    """The percentile interval of LEVEL of resampled differences (B,)."""
    low, high = np.percentile(differences, (50 * (1 - LEVEL), 50 * (1 + LEVEL)))
    return float(low), float(high)


def word(low: float, high: float, groups: int) -> Word:
    """What the interval of a difference of errors says; errors are better where they are lower."""
    if low == high == 0:
        return "no difference that these images can show"
    if groups < FEWEST:
        return "too few groups to say"
    if high < 0:
        return "better"
    return "worse" if low > 0 else "no difference that these images can show"
