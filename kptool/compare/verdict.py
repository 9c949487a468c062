"""What an interval of a difference says in words."""

from __future__ import annotations

from kptool.compare.values import Things, Word
from kptool.report.bootstrap import FEWEST


def word(low: float, high: float, groups: int, higher_is_better: bool = False, things: Things = "images") -> Word:
    """What the interval of a difference says; errors are better where they are lower, an accuracy where it is higher.

    Args:
        groups: how many were resampled.
        things: what they are groups of.
    """
    none: Word = "no difference that these images can show"
    if things == "pairs":
        none = "no difference that these pairs can show"
    if low == high == 0:
        return none
    if groups < FEWEST:
        return "too few groups to say"
    if low <= 0 <= high:
        return none
    return "better" if (low > 0) == higher_is_better else "worse"
