"""What one set of predictions gains on another, and how sure that is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kptool.dataset import Ints
from kptool.geometry import Floats
from kptool.report.scored import Scored
from kptool.report.sums import Sums, sums
from kptool.report.words import amount


class Gain(NamedTuple):
    """The competition's own metric of equal and of fitted weights, both out of fold; of pairs the log loss.

    Attributes:
        error: standard error of the difference, over groups of images that are not parted.
        name: of the metric: RMSE, MAE, NME or log loss.
        unit: of all three figures: px, % or nats.
    """

    equal: float
    fitted: float
    error: float
    name: str
    unit: str

    @property
    def value(self) -> float:
        """By how much the fitted weights are better."""
        return self.equal - self.fitted

    @property
    def real(self) -> bool:
        """Whether that is more than its own standard error."""
        return self.value > self.error

    def words(self) -> str:
        """What fitted weights do, in words that follow them."""
        digits = 3 if self.unit == "%" else 4
        value, error = f"{self.value:.{digits}f}", f"{self.error:.{digits}f}"
        scores = f"{self.name} {amount(self.fitted, self.unit)}, averaged {amount(self.equal, self.unit)}"
        if self.real:
            return f"gain {value} ± {error} {self.unit} out of fold ({scores})"
        return f"gain {value} {self.unit} out of fold, no more than its standard error {error} {self.unit} ({scores})"


def gain(plain: Scored, other: Scored, group: Ints | None) -> Gain:
    """Hold two sets of predictions of the same N rows against each other.

    Args:
        group: (N,) rows that share a number count as one; None = every row for itself.
    """
    kind, everyone = plain.outcome.metric, slice(None)
    return Gain(
        plain.leading(plain.errors, everyone),
        other.leading(other.errors, everyone),
        jackknife(sums(plain), sums(other), np.arange(len(plain.errors)) if group is None else group),
        kind.upper(),
        "%" if kind == "nme" else "px",
    )


def jackknife(one: Sums, other: Sums, group: Ints) -> float:
    """Standard error of the difference of two metrics of the same N rows.

    One group is left out at a time (Efron, "The Jackknife, the Bootstrap and Other Resampling Plans", 1982):
    sqrt((G - 1)/G sum (t_g - mean t)^2). It draws no random numbers; NaN for one group.

    Args:
        group: (N,) rows that share a number are left out together.
    """
    rows = np.unique(group, return_inverse=True)[1]
    differences = _left_out(one, rows) - _left_out(other, rows)
    count = len(differences)
    square = (count - 1) / count * ((differences - differences.mean()) ** 2).sum() if count > 1 else np.nan
    return float(np.sqrt(square))


def _left_out(found: Sums, group: Ints) -> Floats:
    """(G,) the metric without each of the groups of (N,)."""
    total, count = (np.bincount(group, weights=v) for v in (found.total, found.count))
    with np.errstate(invalid="ignore", divide="ignore"):  # nothing left: NaN, which no gain is sure by
        mean = np.maximum(total.sum() - total, 0) / (count.sum() - count)
    return np.asarray(np.sqrt(mean) if found.root else mean)
