"""How the folds of a run on pairs trained, a line each."""

from __future__ import annotations

import math

from rich.console import Group, RenderableType
from rich.table import Table

from kptool.report.pen import Pen
from kptool.report.words import figure
from kptool.verification.values import PairCurve, PairReport

LEAST, WIDEST = 8, 40  # cells of a sparkline


def training(pen: Pen, report: PairReport) -> RenderableType | None:
    """The loss and the held-out EER of each fold; None for a run without curves."""
    if not report.curves:
        return None
    longest = min(WIDEST, max(len(curve.epochs) for curve in report.curves))
    table = pen.fit(lambda bar: _table(pen, report, bar), pen.room, least=min(LEAST, longest), most=longest)
    return Group(pen.section("Training", "loss drawn on a log scale"), table)


def _table(pen: Pen, report: PairReport, bar: int) -> Table:
    table = pen.table("fold", "<loss", "first", "last", "epochs", "best/EER %", "at/epoch", "last/EER %")
    table.columns[1].width = max(bar, len("loss"))  # a head that is cut ends in an ellipsis
    for curve in report.curves:
        losses = [figure(loss, 3) for loss in (*curve.loss[:1], *curve.loss[-1:])] or ["–", "–"]
        best, last = _heldout(curve)
        at = "–" if curve.best_epoch is None else str(curve.best_epoch)
        cells = (*losses, str(len(curve.epochs)), figure(best, 1), at, figure(last, 1))
        table.add_row(pen.text(str(curve.fold)), pen.spark(curve.loss, bar), *map(pen.text, cells))
    return table


def _heldout(curve: PairCurve) -> tuple[float, float]:
    """The EER of the best epoch, and the last; NaN where there is none."""
    known = {epoch: eer for epoch, eer in zip(curve.epochs, curve.eer, strict=True) if not math.isnan(eer)}
    best = math.nan if curve.best_epoch is None else known.get(curve.best_epoch, math.nan)
    return best, list(known.values())[-1] if known else math.nan
