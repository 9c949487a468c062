"""Figures as a reader wants them: no more digits than count, and a dash where there is none; names that stay text."""

from __future__ import annotations

import math


def amount(value: float, unit: str) -> str:
    """A score with its unit, as it is spoken of: 1.234 px, 4.31 %."""
    return "–" if math.isnan(value) else f"{value:.{digits(unit)}f} {unit}"


def digits(unit: str) -> int:
    """Decimals that a score of this unit is shown with."""
    return 2 if unit == "%" else 3


def ratio(part: float, whole: float) -> float:
    """part / whole, and NaN where there is no whole."""
    return part / whole if whole else math.nan


def count(number: int) -> str:
    """A count to read: thousands are set apart from 10,000 on."""
    return f"{number:,}" if number >= 10_000 else str(number)


def figure(value: float, digits: int = 2, sign: str = "") -> str:
    """A figure to read, one decimal from 100 on, or a dash where there is none."""
    digits = digits if abs(value) < 100 else 1
    return "–" if math.isnan(value) else f"{round(value, digits) + 0.0:{sign}.{digits}f}"  # + 0.0 turns -0.0 into 0.0


def duration(seconds: float) -> str:
    """Seconds to read: 41 s, 4 min 31 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def printable(words: str, keep: str = "") -> str:
    r"""Words with what cannot be printed spelt out, as in \x1b or \u202e: no mark may turn or colour what is around it.

    Args:
        keep: characters that stay, such as a newline; a space always does.
    """
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in words)
