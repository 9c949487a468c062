"""The curves of a report on pairs: ROC, and the held-out error while training."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from kptool.geometry import Floats
from kptool.report.canvas import Ink
from kptool.report.pen import BLUE, ORANGE, Pen
from kptool.report.plots import MODEL, Axes, Series, plot
from kptool.report.words import figure
from kptool.verification.values import Figures, PairCurve, PairReport, RocCurve
from kptool.verification.words import with_sign

HEIGHT = 12  # cells
MOST = 4  # powers of ten on an axis: more names would not fit
BASELINE = Ink(ORANGE, ":", (2, 2))
CHANCE = Ink("dim", ".", (1, 3))


def roc(pen: Pen, report: PairReport) -> RenderableType:
    """The share of same pairs accepted over that of different ones: the model's, and dashed the baseline's."""
    ends = np.array([0.0, 1.0])
    curves = [Series(ends, ends, CHANCE)]
    if report.classical_roc is not None:
        curves.append(_series(report.classical_roc, BASELINE))
    curves.append(_series(report.roc, MODEL))
    axes = Axes((0, 1), (0, 1), ("0", "100%"), ("0%", "100%"), "FAR, different pairs accepted")
    title = pen.section("ROC", "TAR over FAR", "dotted: chance")
    return Group(title, plot(pen, axes, curves, HEIGHT), *_legend(pen, report))


def rare(pen: Pen, report: PairReport) -> RenderableType | None:
    """The ROC where few different pairs are accepted, FAR on a log scale; None where too few pairs tell it."""
    different = sum(report.histogram.different)
    decades = min(MOST, math.floor(math.log10(different))) if different else 0
    if decades < 2:
        return None
    curves = []
    if report.classical_roc is not None:
        curves.append(_log(report.classical_roc, decades, BASELINE))
    curves.append(_log(report.roc, decades, MODEL))
    names = [f"{100 * 10.0**-k:g}%" for k in range(decades, -1, -1)]
    room = pen.room - len("100%") - 2
    axes = Axes((-decades, 0), (0, 1), (names[0], names[-1]), ("0%", "100%"), _ticks(names, room))
    return Group(pen.section("ROC at rare FAR", "FAR on a log scale"), plot(pen, axes, curves, HEIGHT))


def _series(curve: RocCurve, ink: Ink) -> Series:
    return Series(np.array(curve.far), np.array(curve.tar), ink)


def _log(curve: RocCurve, decades: int, ink: Ink) -> Series:
    """A ROC over the logarithm of FAR, from what is accepted at the lowest FAR of the axis."""
    far, tar = np.array(curve.far), np.array(curve.tar)
    start = max(0, int(np.searchsorted(far, 10.0**-decades, side="right")) - 1)
    return Series(np.log10(np.maximum(far[start:], 10.0**-decades)), tar[start:], ink)


def _ticks(names: Sequence[str], room: int) -> str:
    """The names of an axis of `room` cells at even steps, without the first and the last, which the plot sets."""
    line = [" "] * (room - len(names[0]) - len(names[-1]) - 1)
    for place, name in enumerate(names[1:-1], start=1):
        at = round(place / (len(names) - 1) * (room - 1)) - len(names[0]) - len(name) // 2
        line[at : at + len(name)] = name
    return "".join(line)


def _legend(pen: Pen, report: PairReport) -> list[Text]:
    lines = [_key(pen, MODEL, "──", report.model)]
    if report.classical is not None and report.classical_roc is not None:
        lines.append(_key(pen, BASELINE, "╌╌", report.classical))
    return lines


def _key(pen: Pen, ink: Ink, sign: str, one: Figures) -> Text:
    key = pen.text(ink.plain * 2 if pen.ascii else sign, ink.style)
    name = "model" if ink is MODEL else "baseline"
    return pen.line(key, pen.text(f" {name:8} AUC {figure(one.auc, 3)}, EER {with_sign(one.eer)}"))


def heldout(pen: Pen, curves: Sequence[PairCurve]) -> RenderableType | None:
    """The held-out EER of each fold while it trained, told by its number; None where it was evaluated but once."""
    told = [_told(curve) for curve in curves]
    if not any(len(xs) > 1 for xs, _ in told):
        return None
    seen = np.concatenate([ys for _, ys in told])
    low, high = float(seen.min()), float(seen.max())
    last = max(curve.epochs[-1] for curve in curves if curve.epochs)
    ends = f"{figure(low, 1)} %", f"{figure(high, 1)} %"
    axes = Axes((0, last), (low, high if high > low else low + 1), ("0", str(last)), ends, "epoch")
    lines = [Series(*xy, Ink(BLUE, "*"), str(curve.fold)) for curve, xy in zip(curves, told, strict=True)]
    return Group(pen.section("Held-out EER", "fold by its number"), plot(pen, axes, lines))


def _told(curve: PairCurve) -> tuple[Floats, Floats]:
    """The epochs of a fold that were evaluated, and their EER."""
    epochs, eer = np.array(curve.epochs, dtype=np.float64), np.array(curve.eer, dtype=np.float64)
    known = np.isfinite(eer)
    return epochs[known], eer[known]
