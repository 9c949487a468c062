"""How the folds trained, a line each, and the learning rate."""

from __future__ import annotations

import math

from rich.console import Group, RenderableType
from rich.table import Table

from kptool.report.details import FoldCurve, Rates
from kptool.report.pen import Pen
from kptool.report.values import Report
from kptool.report.words import duration, figure

LEAST, WIDEST = 8, 40  # cells of a sparkline


def training(pen: Pen, report: Report) -> RenderableType | None:
    """The loss and the held-out error of each fold; None for a run without curves."""
    if not report.curves:
        return None
    longest = min(WIDEST, max(len(curve.epochs) for curve in report.curves))
    table = pen.fit(lambda bar: _table(pen, report, bar), pen.room, least=min(LEAST, longest), most=longest)
    title = pen.section("Training", "loss drawn on a log scale")
    rates = [] if report.rates is None else [_rates(pen, report.rates, int(table.columns[1].width or longest))]
    return Group(title, table, *rates)


def _table(pen: Pen, report: Report, bar: int) -> Table:
    table = pen.table("fold", "<loss", "first", "last", "epochs", "best/px", "at/epoch", "last/px", "trained")
    table.columns[1].width = max(bar, len("loss"))  # a head that is cut ends in an ellipsis
    for curve in report.curves:
        best, at, last = _heldout(curve)
        seconds = duration(curve.seconds[-1]) if curve.seconds else ""
        losses = (_short(curve.loss[0]), _short(curve.loss[-1])) if curve.loss else ("–", "–")
        cells = (*losses, str(len(curve.epochs)), figure(best, 3), at, figure(last, 3), seconds)
        table.add_row(pen.text(str(curve.fold)), pen.spark(curve.loss, bar), *map(pen.text, cells))
    return table


def _heldout(curve: FoldCurve) -> tuple[float, str, float]:
    """The lowest held-out error, its epoch, and the last."""
    known = [(e, epoch) for epoch, e in zip(curve.epochs, curve.heldout, strict=True) if not math.isnan(e)]
    if not known:
        return math.nan, "–", math.nan
    best, at = min(known)
    return best, str(at), known[-1][0]


def _rates(pen: Pen, rates: Rates, bar: int) -> RenderableType:
    peaks = ", ".join(f"{name} {peak:g}" for name, peak in rates.peaks.items())
    gap = " " if pen.room < 100 else "  "
    words = pen.text(f"{gap}learning rate over the epochs; peak {peaks}", "dim")
    return pen.line(pen.text(f"{'rate':>4}{gap}"), pen.spark(rates.fraction, bar, log=False), words)


def _short(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3g}"
