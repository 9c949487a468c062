"""The tables of figures in a report on pairs: the model's beside the baseline's, folds, and calibration."""

from __future__ import annotations

import math

from rich.console import Group, RenderableType
from rich.table import Table

from kptool.report.pen import Pen
from kptool.report.words import count, figure
from kptool.verification.figure_rows import figure_rows
from kptool.verification.values import PairReport
from kptool.verification.words import percent, rate, several

CHANCE = 0.5  # accuracy that a bar starts from
LEAST = 8  # cells of a bar
DECIDING = 10  # different pairs that must be accepted before a rate is worth giving
RAREST = 0.1  # FAR, where no rate at all can be given


def figures(pen: Pen, report: PairReport) -> RenderableType:
    """The model's figures, and the baseline's and the difference where there is a baseline."""
    model, other = report.model, report.classical
    table = pen.table("<", "/model", *([] if other is None else ["/baseline", "/difference"]))
    table.padding = (0, 2, 0, 0)  # with less between them, intervals run together
    for name, *cells in figure_rows(report):
        table.add_row(*map(pen.text, (name, *cells[: len(table.columns) - 1])))
    notes = [
        "accuracy's interval and difference: pairs pooled, their groups drawn again",
        *(["TAR = same pairs accepted", "FAR = different pairs accepted"] if model.accepted else []),
        f"Brier of answering the share of same {figure(model.chance_brier)}",
        *_no_lower(report),
    ]
    return Group(table, pen.flow(notes, "dim"))


def _no_lower(report: PairReport) -> list[str]:
    """Why no rate at a lower FAR is given: how few pairs would decide it."""
    different = sum(fold.pairs - fold.same for fold in report.folds)
    given = [accepted.far for accepted in report.model.accepted]
    far = min(given) / 10 if given else RAREST
    deciding = math.floor(far * different + 1e-9)
    if deciding >= DECIDING:
        return []
    missing = f"no TAR at a {'lower ' if given else ''}FAR"
    return [f"{missing}: {several(different, 'different pair')}, {rate(far)} would be {several(deciding, 'pair')}"]


def folds(pen: Pen, report: PairReport) -> RenderableType:
    """Each held-out fold, with a bar of its accuracy from an even chance to 100 %."""
    notes = ["each by the threshold best on the other folds", "FAR and FRR at that threshold"]
    if not all(fold.honest for fold in report.folds):
        notes = ["by the threshold best on its own pairs, which flatters", *notes[1:]]
    title = pen.section("Held-out folds", *notes)
    return Group(title, pen.fit(lambda bar: _folds(pen, report, bar), pen.room, LEAST))


def _folds(pen: Pen, report: PairReport, bar: int) -> Table:
    other, model = report.classical, report.model
    heads = ["fold", "pairs", "same", "threshold", "accuracy/%", f"</{100 * CHANCE:.0f}{100:>{bar - 2}}"]
    heads += ["FAR/%", "FRR/%", "AUC", "EER/%", *([] if other is None else ["baseline/%"])]
    table = pen.table(*heads)
    for fold in report.folds:
        where = (str(fold.fold), count(fold.pairs), count(fold.same), figure(fold.threshold, 3))
        rates = (percent(fold.false_accept), percent(fold.false_reject), figure(fold.auc, 3), percent(fold.eer))
        beside = [] if other is None else [percent(fold.classical)]
        drawn = pen.gauge((fold.accuracy - CHANCE) / (1 - CHANCE), bar)
        table.add_row(*map(pen.text, (*where, percent(fold.accuracy))), drawn, *map(pen.text, (*rates, *beside)))
    if len(report.folds) > 1:
        cells = ("mean", "", "", "", percent(model.accuracy), f"± {percent(model.standard_error)} SE", "", "", "", "")
        table.add_row(*map(pen.text, (*cells, *([] if other is None else [percent(other.accuracy)]))))
    return table


def calibration(pen: Pen, report: PairReport) -> RenderableType | None:
    """How often pairs of each said probability show one person; None where no probability could be told."""
    if not report.calibration:
        return None
    title = pen.section("Calibration", "probabilities fitted on the other folds")
    return Group(title, pen.fit(lambda bar: _calibration(pen, report, bar), pen.room, LEAST, 20))


def _calibration(pen: Pen, report: PairReport, bar: int) -> Table:
    heads = ("<probability/of same, %", "mean/%", "are same/%", f"</0{100:>{bar - 1}}", "pairs")
    table = pen.table(*heads)
    table.padding = (0, 2, 0, 0)
    for one in report.calibration:
        figures = (f"{100 * one.low:.0f} to {100 * one.high:.0f}", percent(one.probability), percent(one.share))
        table.add_row(*map(pen.text, figures), pen.gauge(one.share, bar), pen.text(count(one.pairs)))
    return table
