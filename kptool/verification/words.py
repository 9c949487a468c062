"""Shares and answers as a reader wants them."""

from __future__ import annotations

import math

from kptool.report.words import count, figure
from kptool.verification.values import PairAbout, PairReport


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


def verdict(report: PairReport) -> str:
    """Whether the model beats the hand-made baseline, in plain words."""
    other = report.classical
    if other is None:
        return "None was made in this run, so nothing tells what the net is worth beside hand-made features."
    points = f"{percent(report.gain, 1, '+')} points of accuracy"
    if not math.isnan(report.gain_low):
        points += f", 95% interval {span(report.gain_low, report.gain_high, '+')}"
    return f"{_against(report).format('the hand-made baseline')} ({other.name}): {points}."


def leak(about: PairAbout) -> str:
    """How many held-out pairs training knows a person of, and how many a split without care would have."""
    other = "" if math.isnan(about.naive_leak) else f"; a random split would have {100 * about.naive_leak:.0f} %"
    shown = round(about.own_leak * about.scored)
    return f"{count(shown)} of {count(about.scored)} held-out pairs show a person seen in training{other}."


def _against(report: PairReport) -> str:
    if report.gain_low > 0:
        return "The model beats {}"
    if report.gain_high < 0:
        return "The model is WORSE than {}"
    if math.isnan(report.gain_low):
        return "Too few groups of pairs to tell whether the model beats {}"
    return "The model does NOT beat {} beyond chance"
