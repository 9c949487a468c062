"""The cluster bootstrap: what a metric, or a difference of two, would have been, had other images been drawn.

Images of one group (duplicates, mirrored copies, a person) are no independent witnesses, so whole groups are drawn
with replacement, as many as there are, the same ones for every run (Davison and Hinkley, "Bootstrap Methods and their
Application", 1997, section 3.8; Field and Welsh, "Bootstrapping clustered data", 2007). Every metric here is a ratio of
sums over images, so a resample needs only how often each group was drawn: its weighted sums give the metric.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from kptool.dataset import Ints, Mask
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
    count, out = count[drawn], np.empty((len(found), resamples))
    for some, times in _draws(len(drawn), resamples, seed):
        below = times @ count
        for row, total in zip(out, totals, strict=True):
            # One product a run: in one of many, equal runs could be summed in different orders.
            row[some] = times @ total / below
    return np.sqrt(out) if found[0].root else out


def intervals(
    found: Sums, group: Ints, parts: Sequence[Mask], resamples: int = RESAMPLES, seed: int = SEED
) -> list[tuple[float, float]]:
    """The percentile interval of the metric over each of some parts of the images, all under the same draws.

    A draw is of all groups, whichever part they are of, so how many images a part has varies too, as it would.

    Args:
        group: (n,) which images are drawn together.
        parts: (n,) masks.

    Returns:
        Low and high for each part; NaN where its labels come from fewer than FEWEST groups.
    """
    drawn = np.flatnonzero(np.bincount(group, found.count) > 0)
    sums = [(_by_group(found.total, group, part)[drawn], _by_group(found.count, group, part)[drawn]) for part in parts]
    told = [int((count > 0).sum()) >= FEWEST for _, count in sums]
    if not any(told):
        return [(float("nan"), float("nan"))] * len(parts)
    above, below = (np.stack(each, axis=1) for each in zip(*sums, strict=True))
    out = np.empty((resamples, len(parts)))
    for some, times in _draws(len(drawn), resamples, seed):
        counts = times @ below
        out[some] = np.divide(times @ above, counts, out=np.full_like(counts, np.nan), where=counts > 0)
    each = [interval(np.sqrt(own) if found.root else own) for own in (column[~np.isnan(column)] for column in out.T)]
    return [one if known else (float("nan"), float("nan")) for one, known in zip(each, told, strict=True)]


def _by_group(values: Floats, group: Ints, part: Mask) -> Floats:
    return np.bincount(group, np.where(part, values, 0.0)).astype(np.float64)


def _draws(groups: int, resamples: int, seed: int) -> Iterator[tuple[slice, Floats]]:
    """Some resamples at a time, and (n, groups) how often each group is drawn in them: multinomial counts."""
    generator, step = np.random.default_rng(seed), max(1, _CELLS // groups)
    for start in range(0, resamples, step):
        some = slice(start, min(start + step, resamples))
        n = some.stop - start
        picks = generator.integers(groups, size=(n, groups))
        picks += groups * np.arange(n)[:, None]
        yield some, np.bincount(picks.ravel(), minlength=n * groups).reshape(n, groups).astype(np.float64)


def interval(values: Floats) -> tuple[float, float]:
    """The percentile interval of LEVEL of resampled values (B,)."""
    if not values.size:
        return float("nan"), float("nan")
    low, high = np.percentile(values, (50 * (1 - LEVEL), 50 * (1 + LEVEL)))
    return float(low), float(high)
