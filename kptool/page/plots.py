"""The page's curves: training, learning rate, cumulative error, and the score between nothing and the mean shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from kptool.page.figures import INK, MUTED, NARROW, PAPER, SERIES, drawing, to_svg
from kptool.report.details import Ced, FoldCurve, Rates
from kptool.report.values import Report
from kptool.report.words import amount, figure

DASHES: Final = ("-", (0, (5, 2)), (0, (2, 1.6)), (0, (7, 2, 1.5, 2)), (0, (1, 1.6)))
PLAIN = FuncFormatter(lambda value, _: f"{value:g}")


def strip(report: Report) -> Markup:
    """The score with its interval, each fold's and the mean shape's, on one line that begins at 0."""
    lead, score = report.lead, report.lead.score
    folds = [fold.lead for fold in report.folds if not math.isnan(fold.lead)]
    known = [v for v in (score.value, score.mean_shape, lead.high, *folds) if v > 0]
    with drawing(74) as (made, axes):
        axes.set_xlim(0, 1.06 * max(known, default=1))
        on_one_line(axes, score.value, (lead.low, lead.high), folds, (score.mean_shape, "mean shape"))
        axes.set_xlabel(f"{score.name}, {score.unit}")
    told = f"{score.name} {amount(score.value, score.unit)}, mean shape {amount(score.mean_shape, score.unit)}."
    each = ", ".join(amount(v, score.unit) for v in folds)
    return to_svg(made, "strip", "The score, its folds and the mean shape", f"{told} Folds: {each}.")


def on_one_line(
    axes: Axes, value: float, ends: tuple[float, float], folds: Sequence[float], rival: tuple[float, str] | None
) -> None:
    """A score on its interval `ends`, a ring for each fold below, and what to measure it by with its name."""
    axes.set_yticks([])
    axes.set_ylim(-1, 1.25)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_formatter(PLAIN)
    axes.plot(folds, np.full(len(folds), -0.4), "o", ms=5, mfc=PAPER, mec=SERIES[0], mew=1.2, clip_on=False)
    if not math.isnan(ends[0]):
        axes.plot(ends, [0.4, 0.4], color=SERIES[0], lw=5, alpha=0.35)
    axes.plot([value], [0.4], "|", ms=15, mew=2.4, color=SERIES[0], clip_on=False)
    if rival is not None:
        at, name = rival
        axes.plot([at], [0], "|", ms=26, mew=2, color=MUTED, clip_on=False)
        axes.annotate(name, (at, 0), (-6, 0), textcoords="offset points", color=MUTED, ha="right", va="center",
                      fontsize=8.5)  # fmt: skip


def losses(curves: Sequence[FoldCurve]) -> Markup:
    """The training loss of each fold, on a logarithmic scale."""
    return training(curves, "loss", "training loss", "Training loss per fold")


def heldouts(curves: Sequence[FoldCurve]) -> Markup:
    """The held-out RMSE of each fold where it was evaluated."""
    return training(curves, "heldout", "held-out RMSE, px", "Held-out RMSE per fold")


def training(curves: Sequence[FoldCurve], what: Literal["loss", "heldout"], label: str, title: str) -> Markup:
    """A line a fold over the epochs, on a logarithmic scale where all values allow one."""
    said = []
    with drawing(200, NARROW) as (made, axes):
        for n, curve in enumerate(curves):
            values = np.array(curve.loss if what == "loss" else curve.heldout, dtype=np.float64)
            seen = np.isfinite(values)
            if not seen.any():
                continue
            epochs, values = np.array(curve.epochs)[seen], values[seen]
            mark = "o" if len(values) < 25 and what == "heldout" else None
            style: dict[str, Any] = {
                "color": SERIES[n % len(SERIES)],
                "linestyle": DASHES[n // len(SERIES) % len(DASHES)],
            }
            axes.plot(epochs, values, marker=mark, ms=3.2, label=f"fold {curve.fold}", gid=f"{what}-{n}", **style)
            said.append(f"fold {curve.fold} ends at {figure(float(values[-1]), 3)}")
        _epochs(axes, curves)
        _log(axes)
        axes.set_title(label, loc="left", fontsize=8.5, color=MUTED)
        if 1 < len(curves) <= 12:
            axes.legend(loc="best", ncols=2 if len(curves) > 3 else 1)
    tips = {f"{what}-{n}": f"fold {curve.fold}" for n, curve in enumerate(curves)}
    return to_svg(made, what, title, f"Over the epochs; {'; '.join(said)}.", tips)


def rates(found: Rates) -> Markup:
    """The learning rate over the training, as a fraction of its peak."""
    peaks = ", ".join(f"{name} = {value:g}" for name, value in found.peaks.items())
    with drawing(200, NARROW) as (made, axes):
        axes.fill_between(found.epochs, found.fraction, color=SERIES[0], alpha=0.15, lw=0)
        axes.plot(found.epochs, found.fraction, color=SERIES[0])
        axes.set_ylim(0, 1.08)
        axes.set_xlim(0, max(found.epochs))
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_title("learning rate, 1 = the peak", loc="left", fontsize=8.5, color=MUTED)
    last = figure(found.fraction[-1], 3)
    return to_svg(made, "rates", "Learning rate", f"From 0 to {max(found.epochs):g} epochs; peaks: {peaks}; ends at "
                  f"{last} of the peak.")  # fmt: skip


def ced(found: Ced) -> Markup:
    """The share of images with an error of at most so much, of the model and of the mean shape."""
    steps, over = np.array(found.steps), f" of the {found.normaliser}" if found.normaliser else ""
    with drawing(205) as (made, axes):
        axes.plot(steps, 100 * np.array(found.shares), color=SERIES[0], label="model", gid="ced-model")
        axes.plot(
            steps, 100 * np.array(found.mean_shape), color=MUTED, ls=DASHES[1], label="mean shape", gid="ced-mean"
        )
        axes.set_ylim(0, 102)
        axes.set_xlim(0, steps[-1])
        axes.set_xlabel(f"mean point error of an image, {found.unit}{over}")
        axes.set_title("images within it, %", loc="left", fontsize=8.5, color=MUTED)
        axes.legend(loc="lower right")
    half, most = (_reached(found, share) for share in (0.5, 0.95))
    told = f"Half of {found.images} images are within {half}, 95 % within {most}."
    return to_svg(made, "ced", "Cumulative error distribution", told, {"ced-model": "model", "ced-mean": "mean shape"})


def _reached(found: Ced, share: float) -> str:
    at = next((step for step, got in zip(found.steps, found.shares, strict=True) if got >= share), None)
    return f"more than {found.steps[-1]:g} {found.unit}" if at is None else f"{at:.3g} {found.unit}"


def _epochs(axes: Axes, curves: Sequence[FoldCurve]) -> None:
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlim(left=0, right=max((curve.epochs[-1] for curve in curves if curve.epochs), default=1) * 1.02)


def _log(axes: Axes) -> None:
    """A logarithmic scale where all values allow one, with ticks that are numbers to read."""
    low, high = axes.dataLim.intervaly
    if not 0 < low <= high < math.inf:
        return
    axes.set_yscale("log")
    narrow = high / low < 4
    axes.yaxis.set_major_locator(MaxNLocator(5) if narrow else LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(PLAIN)
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(visible=False, which="minor")
    axes.spines["bottom"].set_color(INK if low == high else axes.spines["bottom"].get_edgecolor())
