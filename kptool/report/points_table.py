"""The points of the terminal report: a table, and the mean face beside it or below."""

from __future__ import annotations

import math

from rich.console import Group, RenderableType
from rich.table import Table

from kptool.report.face_drawing import arrow, draw
from kptool.report.pen import Pen
from kptool.report.values import Report
from kptool.report.words import count, figure, ratio

GAP = 4
NARROWEST, WIDEST = 50, 60  # cells of the mean face beside the table
SMALL, LARGE = 20, 36  # rows of the mean face, of a few points and of many
MANY = 30  # points
BAR = 5  # cells under which a bar says too little, and the mean makes room


def points(pen: Pen, report: Report) -> RenderableType:
    """The error of each point."""
    rows = LARGE if len(report.points) >= MANY else SMALL
    left = min(WIDEST, pen.room - pen.width(_points(pen, report, 12, mean=True)) - GAP)
    aside = draw(Pen(pen.console, left), report, rows) if left >= NARROWEST else None
    if aside is not None:
        own = Pen(pen.console, pen.room - GAP - pen.width(aside))
        return pen.beside(_whole(own, report), aside, gap=GAP)
    below = draw(pen, report, rows)
    return Group(_whole(pen, report), *([] if below is None else ["", below]))


def _whole(pen: Pen, report: Report) -> RenderableType:
    mean = pen.width(_points(pen, report, BAR, mean=True)) <= pen.room
    table = pen.fit(lambda bar: _points(pen, report, bar, mean), pen.room, least=2)
    away = f"{'mean, ' if mean else ''}median, p95 of the distance"
    notes = ["RMSE per coordinate", away, "bias = predicted - label"]
    made = report.calibration
    if made is not None:
        known = f" and held {made.overall.share:.1%} of {count(made.overall.labels)} labels of other folds"
        judged = "" if math.isnan(made.overall.share) else known
        small, large = report.about.sizes
        scale = "" if small == large == report.about.size else ", in photos of the middle scale,"
        notes.append(f"{made.level:.0%} = radius{scale} that is to hold {made.level:.0%}{judged}")
        if not math.isnan(made.own):
            notes.append(f"that of the model's own spread holds {made.own:.1%}, at {figure(made.own_px)} px")
    return Group(pen.section("Points", *notes), table)


def _points(pen: Pen, report: Report, bar: int, mean: bool) -> Table:
    most = max((point.rmse for point in report.points if point.labelled), default=math.nan)
    made = report.calibration
    radii = None if made is None else {radius.point: radius.px for radius in made.radii}
    away = (["mean/px"] if mean else []) + ["median/px", "p95/px"] + ([] if made is None else [f"{made.level:.0%}/px"])
    axis = f"0{figure(most):>{bar - 1}}" if bar > 8 else ""
    table = pen.table("<point", "RMSE/px", f"</{axis}", *away, "", "bias/dx px", "/dy px", "n", "missing")
    for point in report.points:
        lengths = [*([point.mean] if mean else []), point.median, point.p95]
        lengths += [] if radii is None else [radii.get(point.name, math.nan)]
        bias = (figure(point.bias_dx, sign="+"), figure(point.bias_dy, sign="+"))
        sign = arrow(point.bias_dx, point.bias_dy, point.rmse)
        cells = (*map(figure, lengths), sign, *bias, count(point.labelled), count(point.missing))
        drawn = pen.bar(ratio(point.rmse, most), bar)
        table.add_row(pen.text(point.name), pen.text(figure(point.rmse)), drawn, *map(pen.text, cells))
    return table
