"""Curves with axes, drawn with characters: the cumulative error distribution and the held-out errors.

They share the mean face's canvas, a hundred lines; a plotting library would have added a dependency and kept neither to
ASCII nor to the report's colours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from kptool.geometry import Floats
from kptool.report.canvas import ACROSS, DOWN, Canvas, Ink
from kptool.report.details import Ced, FoldCurve
from kptool.report.pen import BLUE, ORANGE, Pen
from kptool.report.words import figure

MODEL, SHAPE = Ink(BLUE, "*"), Ink(ORANGE, ":", (2, 2))
HEIGHT = 9  # cells
TALLEST = 3.0  # times the middle of the folds' best: what lies higher is the start of a training
SHARES = (0.5, 0.9)
NEARLY_ALL = 0.98  # of the images, by the mean shape: where the x axis ends


class Series(NamedTuple):
    """A curve; `mark` stands at its last point, in the margin."""

    xs: Floats
    ys: Floats
    ink: Ink
    mark: str = ""


class Axes(NamedTuple):
    """What a plot shows: both ends of each axis, as numbers and in words, and what runs along x."""

    x: tuple[float, float]
    y: tuple[float, float]
    x_ends: tuple[str, str]
    y_ends: tuple[str, str]
    along: str


def plot(pen: Pen, axes: Axes, curves: Sequence[Series], height: int = HEIGHT) -> Text:
    """Curves over labelled axes, `pen.room` cells wide; a piece that leaves the plot is left out."""
    margin = max(map(len, axes.y_ends)) + 1
    marks = 2 * any(curve.mark for curve in curves)
    canvas = Canvas(pen, pen.room - margin - 1 - marks, height)
    ends: dict[int, str] = {}
    for curve in curves:
        xs, ys = _dots(curve.xs, axes.x, canvas.width * ACROSS), _dots(curve.ys, axes.y, canvas.height * DOWN)
        down = canvas.height * DOWN - 1 - ys
        canvas.path(xs.tolist(), down.tolist(), curve.ink)
        if curve.mark and np.isfinite(down).any():
            _place(ends, int(down[np.isfinite(down)][-1]) // DOWN, curve.mark, height)
    rows = []
    for row, line in enumerate(canvas.lines()):
        label = {0: axes.y_ends[1], height - 1: axes.y_ends[0]}.get(row, "")
        mark = pen.text(f" {ends[row]}" if row in ends else "")
        rows.append(pen.line(pen.text(f"{label:>{margin - 1}} │", "dim"), line, mark))
    low, high = axes.x_ends
    between = canvas.width - len(low) - len(high)
    foot = f"{low}{axes.along:^{between}}{high}" if between > len(axes.along) else f"{low}{high:>{canvas.width - 1}}"
    rows.append(pen.text(f"{'':{margin - 1}} └{'─' * canvas.width}", "dim"))
    rows.append(pen.text(f"{'':{margin + 1}}{foot}", "dim"))
    return Text("\n").join(rows)


def cumulative(pen: Pen, ced: Ced) -> RenderableType:
    """Which share of the images has an error of at most so much: the model's, and dashed the mean shape's."""
    steps = np.array(ced.steps)
    unit = ced.unit if ced.normaliser is None else f"% of the {ced.normaliser}"
    curves = [Series(steps, np.array(ced.mean_shape), SHAPE), Series(steps, np.array(ced.shares), MODEL)]
    span = (float(steps[0]), float(steps[-1]))
    axes = Axes(span, (0, 1), (_short(span[0]), _short(span[1])), ("0%", "100%"), unit)
    lines = []
    for name, ink, sign, shares in (("model", MODEL, "──", ced.shares), ("mean shape", SHAPE, "╌╌", ced.mean_shape)):
        reached = ", ".join(dict.fromkeys(_reach(ced, shares, share) for share in SHARES))
        key = pen.text(ink.plain * 2 if pen.ascii else sign, ink.style)
        lines.append(pen.line(key, pen.text(f" {name:10} {reached}")))
    title = pen.section("Images within an error", "mean over their points")
    return Group(title, plot(pen, axes, curves), *lines)


def heldout(pen: Pen, curves: Sequence[FoldCurve]) -> RenderableType | None:
    """The held-out error of each fold while it trained, told by its number; None where it was evaluated but once."""
    told = [_told(curve) for curve in curves]
    if not any(len(xs) > 1 for xs, _ in told):
        return None
    best = [float(ys.min()) for _, ys in told if len(ys)]
    top = TALLEST * float(np.median(best))
    seen = np.concatenate([ys[ys <= top] for _, ys in told])
    low, high = float(seen.min()), float(seen.max())
    last = max(curve.epochs[-1] for curve in curves if curve.epochs)
    ends = (f"{_short(low)} px", f"{_short(high)} px")
    axes = Axes((0, last), (low, high if high > low else low + 1), ("0", str(last)), ends, "epoch")
    lines = [
        Series(xs, np.where(ys <= top, ys, np.nan), Ink(BLUE, "*"), str(curve.fold))
        for curve, (xs, ys) in zip(curves, told, strict=True)
    ]
    cut = [f"above {_short(high)} px cut off"] if any((ys > top).any() for _, ys in told) else []
    return Group(pen.section("Held-out RMSE", "fold by its number", *cut), plot(pen, axes, lines))


def _told(curve: FoldCurve) -> tuple[Floats, Floats]:
    """The epochs of a fold that were evaluated, and their errors."""
    epochs, errors = np.array(curve.epochs, dtype=np.float64), np.array(curve.heldout, dtype=np.float64)
    known = np.isfinite(errors)
    return epochs[known], errors[known]


def _dots(values: Floats, ends: tuple[float, float], dots: int) -> Floats:
    return (values - ends[0]) / (ends[1] - ends[0]) * (dots - 1)


def _place(ends: dict[int, str], row: int, mark: str, height: int) -> None:
    """Put a mark into the free row nearest to its own; none is left where there are more marks than rows."""
    free = sorted((abs(place - row), place) for place in range(height) if place not in ends)
    if free:
        ends[free[0][1]] = mark


def _reach(ced: Ced, shares: Sequence[float], share: float) -> str:
    """The error that `share` of the images keep within, as far as the curve tells."""
    for step, reached in zip(ced.steps, shares, strict=True):
        if reached >= share:
            return f"{share:.0%} within {figure(step)} {ced.unit}"
    return f"{shares[-1]:.0%} within {figure(ced.steps[-1])} {ced.unit}"


def _short(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3g}"
