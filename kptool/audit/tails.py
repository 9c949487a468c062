"""How much likelier a distance is if the label is wrong than if it is right.

Right labels lie about the answer as a Student t of the plane does, whose tail is fitted to the set: density
(1 + r²/(νs²))^(-(ν+2)/2) / (2πs²), so that P(away > r) = (1 + r²/(νs²))^(-ν/2) (Kotz and Nadarajah, "Multivariate t
Distributions and their Applications", 2004). It is read off the median and the 95th percentile, which a few wrong
labels in a hundred do not move; hard faces make the tail heavy, and then a large distance says less.

How wrong a wrong label is, nobody knows: every order of magnitude is taken to be alike (Jeffreys' prior of a scale),
between the usual distance and the frame's half diagonal R: density 1/(π (r² + s²) log(1 + R²/s²)).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from kptool.check.shapes import LEAST_ROWS, RAYLEIGH
from kptool.dataset import Ints
from kptool.geometry import Floats

MOST_FREEDOM: Final = 30.0  # labels are never as well-behaved as a Gaussian
LEAST_FREEDOM: Final = 1.0
SHARPEST: Final = 1e-4  # of R: smallest scale, or a model without error would doubt its last bit
OUTER: Final = 0.05  # part of the distances beyond the percentile that the tail is fitted to


class Tails(NamedTuple):
    """The spread of right labels about the answers.

    Attributes:
        median: (S, K) px of the frame, by marking scheme and point; NaN where fewer than 20 rows tell.
        scale: (S, K) px, s.
        freedom: (S, K) ν.
        reach: px, R.
    """

    median: Floats
    scale: Floats
    freedom: Floats
    reach: float

    def doubt(self, away: Floats, scheme: Ints) -> Floats:
        """(..., n, K) log-likelihood ratio of wrong over right, of distances (..., n, K) px in n rows' schemes."""
        scale, freedom = self.scale[scheme], self.freedom[scheme]
        squared = (away / scale) ** 2
        right = -np.log(2.0) - (freedom + 2) / 2 * np.log1p(squared / freedom)
        wrong = -np.log1p(squared) - np.log(np.log1p((self.reach / scale) ** 2))
        return np.asarray(wrong - right)

    def usual(self, scheme: Ints) -> Floats:
        """(n, K) robust standard deviation per coordinate, px: the median over that of a Rayleigh."""
        return self.median[scheme] / RAYLEIGH


def fit_tails(away: Floats, scheme: Ints, schemes: int, reach: float) -> Tails:
    """The tails behind distances (n, K) px of the frame, NaN where not labelled."""
    shape = (schemes, away.shape[1])
    median, scale, freedom = (np.full(shape, np.nan) for _ in range(3))
    for s in range(schemes):
        for k in range(shape[1]):
            own = away[scheme == s, k]
            own = own[np.isfinite(own)]
            if len(own) >= LEAST_ROWS:
                middle, outer = (max(float(v), SHARPEST * reach) for v in np.quantile(own, (0.5, 1 - OUTER)))
                median[s, k], freedom[s, k] = middle, _freedom((outer / middle) ** 2)
                scale[s, k] = middle / np.sqrt(freedom[s, k] * (2 ** (2 / freedom[s, k]) - 1))
    return Tails(median, scale, freedom, reach)


def _freedom(ratio: float) -> float:
    """The ν whose outer percentile squared is `ratio` times its median squared: the larger, the heavier the tail."""
    low, high = LEAST_FREEDOM, MOST_FREEDOM
    for _ in range(50):
        middle = (low + high) / 2
        heavier = ((1 / OUTER) ** (2 / middle) - 1) / (2 ** (2 / middle) - 1) > ratio
        low, high = (middle, high) if heavier else (low, middle)
    return high
