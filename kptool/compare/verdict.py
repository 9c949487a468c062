"""What an interval of a difference says in words."""

from __future__ import annotations

from kptool.compare.values import Word
from kptool.report.bootstrap import FEWEST


def word(low: float, high: float, groups: int) -> Word:
    """What the interval of a difference of errors says; errors are better where they are lower."""
    if low == high == 0:
        return "no difference that these images can show"
    if groups < FEWEST:
        return "too few groups to say"
    if high < 0:
        return "better"
    return "worse" if low > 0 else "no difference that these images can show"
