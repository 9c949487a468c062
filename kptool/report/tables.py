"""The tables of scores other than the leading one: in px, and over a length of the face."""

from __future__ import annotations

from rich.console import Group, RenderableType

from kptool.report.pen import Pen
from kptool.report.scores import THRESHOLDS, Normalised
from kptool.report.values import Report
from kptool.report.words import count, figure


def beside(pen: Pen, report: Report) -> RenderableType:
    """What belongs beside an NME or a MAE: errors in px, and the shares of images and points under thresholds."""
    own, columns = report.own, [f"/@{threshold:.2f}" for threshold in THRESHOLDS]
    marks = columns if own else []
    table = pen.table("<", "/px", *marks, "mean shape/px", *marks)
    blank = [""] * len(marks)
    for one in report.scores:
        cells = (one.name, figure(one.value, 3), *blank, figure(one.mean_shape, 3), *blank)
        table.add_row(*map(pen.text, cells))
    if own is None:
        return table
    for name, scores, places in (("AUC", own.auc, 3), ("FR %", own.failure_rate, 1), ("PCK %", own.pck, 1)):
        mine, shape = (
            [figure(v, places) for v in values]
            for values in zip(*((s.value, s.mean_shape) for s in scores), strict=True)
        )
        table.add_row(*map(pen.text, (name, "", *mine, "", *shape)))
    notes = [
        f"@0.08 = up to an error of 0.08 × the {own.normaliser}",
        "AUC = area under the cumulative error curve, 0 to 1",
        "FR = images over it",
        "PCK = points within it",
    ]
    return Group(table, pen.flow(notes, "dim"))


def errors(pen: Pen, report: Report) -> list[RenderableType]:
    """The errors over every length of the face that can be told; nothing where none can."""
    if not report.normalised:
        return []
    heads = ("NME/macro %", "/micro %", "mean/shape %", "AUC/@0.08", "FR/@0.08 %", "/@0.10 %")
    table = pen.table("<error over", *heads, "images", "left/out")
    for one in report.normalised:
        nme, middle = one.nme_macro, THRESHOLDS.index(0.08)
        figures = (figure(nme.value), figure(one.nme_micro.value), figure(nme.mean_shape))
        rates = (figure(one.auc[middle].value, 3), *(figure(r.value, 1) for r in one.failure_rate[middle:]))
        table.add_row(*map(pen.text, (_short(one), *figures, *rates, count(one.images), count(one.left_out))))
    eyes = [
        f"inter-ocular = {' to '.join(end for (end,) in one.between)}"
        for one in report.normalised[:1]
        if one.kind == "inter-ocular"
    ]
    notes = ["macro = mean over images", "micro = over points", "box = sqrt(width × height)", *eyes]
    return [Group(pen.section("Normalised errors", *notes), table)]


def _short(one: Normalised) -> str:
    """The normaliser in few cells: inter-ocular, box (file), diagonal (labels)."""
    return one.kind if one.between else f"{one.kind} ({one.normaliser.rpartition(' ')[2]})"
