"""The curves of a page on pairs: accuracy on one line, ROC, scores, calibration, training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from kptool.page.figures import MUTED, PAPER, SERIES, drawing, to_svg
from kptool.page.plots import DASHES, PLAIN, on_one_line, training
from kptool.report.details import FoldCurve
from kptool.report.words import count, figure
from kptool.verification.values import Bin, Figures, Histogram, PairCurve, PairReport, RocCurve
from kptool.verification.words import percent, with_sign

SAME, OTHER = SERIES[0], SERIES[1]
FEWEST_BINS: Final = 2  # a diagram of one bin says nothing


def drawings(report: PairReport) -> dict[str, Markup]:
    """Every drawing of the page by its name; "" where there is nothing to draw."""
    none, curves = Markup(), folds_of(report.curves)
    evaluated = any(math.isfinite(v) for curve in curves for v in curve.heldout)
    return {
        "strip": strip(report),
        "roc": roc(report) if report.roc.far else none,
        "rare": rare(report) if report.roc.far else none,
        "scores": scores(report.histogram),
        "calibration": calibration(report.calibration) if len(report.calibration) >= FEWEST_BINS else none,
        "loss": training(curves, "loss", "training loss", "Training loss per fold") if curves else none,
        "eer": training(curves, "heldout", "held-out EER, %", "Held-out EER per fold") if evaluated else none,
    }


def folds_of(curves: Sequence[PairCurve]) -> list[FoldCurve]:
    """As `training` draws them; what was held out is an EER in %."""
    return [FoldCurve(one.fold, one.epochs, one.loss, one.eer, ()) for one in curves]


def strip(report: PairReport) -> Markup:
    """The accuracy with its interval, each fold's and the baseline's, on one line that ends at 100 %."""
    model, other = report.model, report.classical
    folds = [100 * fold.accuracy for fold in report.folds]
    known = [v for v in (50.0, *folds, 100 * model.low, 100 * (other or model).accuracy) if not math.isnan(v)]
    with drawing(74) as (made, axes):
        axes.set_xlim(min(known) - 0.5, 100)
        rival = None if other is None else (100 * other.accuracy, "baseline")
        on_one_line(axes, 100 * model.accuracy, (100 * model.low, 100 * model.high), folds, rival)
        axes.set_xlabel("accuracy, %; answering by lot gets 50")
    beside = "" if other is None else f", the hand-made baseline {with_sign(other.accuracy)}"
    each = ", ".join(with_sign(fold.accuracy) for fold in report.folds)
    told = f"Accuracy {with_sign(model.accuracy)}{beside}. Folds: {each}."
    return to_svg(made, "strip", "The accuracy, its folds and the baseline", told)


def roc(report: PairReport) -> Markup:
    """Same-person pairs accepted against different ones accepted, over all thresholds."""
    with drawing(250) as (made, axes):
        axes.plot([0, 100], [0, 100], color=MUTED, lw=0.9, ls=DASHES[4])
        _curves(axes, report, "roc")
        for one, colour in _named(report):
            axes.plot([100 * one.eer], [100 - 100 * one.eer], "o", ms=5, mfc=PAPER, mec=colour, mew=1.4)
        axes.set_xlim(0, 100)
        axes.set_ylim(0, 101)
        axes.set_xlabel("different pairs accepted (FAR), %")
        axes.set_title("same pairs accepted (TAR), %", loc="left", fontsize=8.5, color=MUTED)
        axes.legend(loc="lower right")
    told = "; ".join(f"{one.name}: AUC {figure(one.auc, 3)}, EER {with_sign(one.eer)}" for one, _ in _named(report))
    return to_svg(made, "roc", "ROC", f"{told}.", _tips(report, "roc"))


def rare(report: PairReport) -> Markup:
    """The same over a logarithmic FAR: the end where few are let in by mistake; marks where a TAR is given."""
    different = sum(fold.pairs - fold.same for fold in report.folds)
    with drawing(250) as (made, axes):
        _curves(axes, report, "rare")
        for one, colour in _named(report):
            for at in one.accepted:
                axes.plot([100 * at.far], [100 * at.tar], "o", ms=5, mfc=PAPER, mec=colour, mew=1.4)
        axes.set_xscale("log")
        axes.set_xlim(100 / max(different, 10), 100)
        axes.set_ylim(0, 101)
        axes.xaxis.set_major_formatter(PLAIN)
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(visible=False, which="minor")
        axes.set_xlabel("different pairs accepted (FAR), %, on a log scale")
        axes.set_title("same pairs accepted (TAR), %", loc="left", fontsize=8.5, color=MUTED)
        axes.legend(loc="upper left")
    told = "; ".join(
        f"{one.name}: TAR {with_sign(at.tar)} at FAR {100 * at.far:g} %"
        for one, _ in _named(report)
        for at in one.accepted
    )
    return to_svg(made, "rare", "ROC over rare false accepts", f"{told or 'Too few pairs for a TAR'}.",
                  _tips(report, "rare"))  # fmt: skip


def scores(found: Histogram) -> Markup:
    """How many pairs of both kinds have which score, and the mean of the folds' thresholds."""
    edges = np.array(found.edges)
    with drawing(205) as (made, axes):
        for counts, colour, name, dash in (
            (found.same, SAME, "same", "-"),
            (found.different, OTHER, "different", DASHES[1]),
        ):
            axes.stairs(counts, edges, fill=True, color=colour, alpha=0.22, lw=0)
            axes.stairs(counts, edges, color=colour, lw=1.5, ls=dash, label=name)
        axes.axvline(found.threshold, color=MUTED, lw=1.2)
        most = max(*found.same, *found.different, 1)
        axes.set_ylim(0, 1.18 * most)
        axes.annotate("threshold", (found.threshold, 1.17 * most), (4, 0), textcoords="offset points", color=MUTED,
                      va="top", fontsize=8.5)  # fmt: skip
        axes.set_xlim(edges[0], edges[-1])
        axes.xaxis.set_major_formatter(PLAIN)
        axes.set_xlabel("score, higher = more alike")
        axes.set_title("pairs", loc="left", fontsize=8.5, color=MUTED)
        axes.legend(loc="upper left" if found.threshold > edges.mean() else "upper right")
    told = (
        f"{count(sum(found.same))} pairs of one person and {count(sum(found.different))} of two; the threshold is "
        f"{figure(found.threshold, 3)} on average of the folds."
    )
    return to_svg(made, "scores", "Scores of both kinds of pairs", told)


def calibration(bins: Sequence[Bin]) -> Markup:
    """Whether pairs said to show one person with so much probability do so as often; areas follow the counts."""
    said, share, pairs = (100 * np.array([b.probability for b in bins]), 100 * np.array([b.share for b in bins]),
                          np.array([b.pairs for b in bins]))  # fmt: skip
    with drawing(205) as (made, axes):
        axes.plot([0, 100], [0, 100], color=MUTED, lw=0.9, ls=DASHES[4])
        axes.plot(said, share, color=SAME, lw=1.2)
        axes.scatter(said, share, s=12 + 170 * pairs / pairs.max(), color=SAME, alpha=0.35, lw=0, clip_on=False)
        axes.scatter(said, share, s=9, color=SAME, clip_on=False)
        axes.set_xlim(0, 100)
        axes.set_ylim(0, 101)
        axes.set_xlabel("probability of one person, %")
        axes.set_title("pairs that do show one person, %", loc="left", fontsize=8.5, color=MUTED)
    told = "; ".join(
        f"said {percent(b.probability)} %, are {percent(b.share)} % of {count(b.pairs)} pairs" for b in bins
    )
    return to_svg(made, "calibration", "Calibration", f"{told}.")


def _named(report: PairReport) -> list[tuple[Figures, str]]:
    """Whoever has figures, with the colour of its curve."""
    return [(report.model, SAME), *([] if report.classical is None else [(report.classical, MUTED)])]


def _curves(axes: Axes, report: PairReport, key: str) -> None:
    _curve(axes, report.roc, "model", SAME, f"{key}-model", "-")
    if report.classical_roc is not None:
        _curve(axes, report.classical_roc, "baseline", MUTED, f"{key}-baseline", DASHES[1])


def _curve(axes: Axes, found: RocCurve, name: str, colour: str, gid: str, dash: Any) -> None:
    axes.plot(100 * np.array(found.far), 100 * np.array(found.tar), color=colour, ls=dash, label=name, gid=gid)


def _tips(report: PairReport, key: str) -> dict[str, str]:
    other = {} if report.classical is None else {f"{key}-baseline": report.classical.name}
    return {f"{key}-model": "model", **other}
