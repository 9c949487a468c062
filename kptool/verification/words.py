"""Shares and answers as a reader wants them."""

from __future__ import annotations

import math

from kptool.report.words import count, figure


def percent(share: float, digits: int = 1, sign: str = "") -> str:
    """A share, 0 to 1, in per cent without the sign for it."""
    return figure(100 * share, digits, sign)


def with_sign(share: float) -> str:
    """The same as it is spoken of: 81.4 %; a dash where there is none."""
    return "–" if math.isnan(share) else f"{percent(share)} %"


def span(low: float, high: float, sign: str = "") -> str:
    """An interval of shares in per cent: 79.7 to 83.0; a dash where there is none."""
    return "–" if math.isnan(low) else f"{percent(low, 1, sign)} to {percent(high, 1, sign)}"


def rate(far: float) -> str:
    """A false accept rate as it is named: FAR 10 %, FAR 0.1 %."""
    return f"FAR {100 * far:g} %"


def several(number: int, thing: str) -> str:
    """A count with what is counted: 1 pair, 2 pairs."""
    return f"{count(number)} {thing}{'s' * (number != 1)}"


def who(same: bool) -> str:
    """What a pair shows, or is answered to show."""
    return "same" if same else "different"
