"""The tables of the terminal report."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import fmean

from rich.console import Group, RenderableType
from rich.table import Table

from kptool.report.pen import ARROWS, Pen
from kptool.report.scores import THRESHOLDS, Normalised
from kptool.report.values import Point, Report
from kptool.report.words import amount, count, digits, figure, ratio

WIDEST = 28  # cells of a bar
SLIGHT = 0.1  # a bias under this part of the point's RMSE gets no arrow


def parts(pen: Pen, report: Report) -> Table:
    """The leading metric on schemes and folds, with bars as wide as there is room for."""
    return _fit(pen, lambda bar: _parts(pen, report, bar), pen.console.width, least=16)


def _parts(pen: Pen, report: Report, bar: int) -> Table:
    score, base, lead = report.metrics, report.baseline, report.lead.score
    by_rmse, places = lead.name == "RMSE", digits(lead.unit)
    several = len(score.by_scheme) > 1
    mixed = several and by_rmse  # what the test set's mix of schemes makes of a score is only known for squares
    heads = ("ratio", f"</0{'1':>{bar - 1}}", *([] if by_rmse else ["RMSE/px"]), "images", "values")
    heads = (f"{lead.name}/{lead.unit}", f"mean shape/{lead.unit}", *heads, *(["test mix/%"] if mixed else []))
    table = pen.table("<scored on", *heads)

    def row(name: str, own: float, shape: float, rmse: float, *counts: str, note: str = "") -> None:
        figures = (figure(own, places), figure(shape, places), figure(ratio(own, shape)))
        drawn = pen.text(note) if note else pen.gauge(ratio(own, shape), bar)
        beside = () if by_rmse else (figure(rmse, 3),)
        table.add_row(pen.text(name), *map(pen.text, figures), drawn, *map(pen.text, (*beside, *counts)))

    row("all labelled", lead.value, lead.mean_shape, score.rmse, count(score.images), count(score.values))
    for name, part in score.by_scheme.items() if several else ():
        share = [figure((score.test_mix or {}).get(name, math.nan) * 100, 1)] if mixed else []
        row(name, part.lead, base.by_scheme[name].lead, part.rmse, count(part.images), count(part.values), *share)
    if mixed:
        row("test mix", score.rmse_test_mix, base.rmse_test_mix, math.nan, note=score.rmse_test_mix_reason or "")
    whole = score.complete
    if 0 < whole.images < score.images:
        row("complete rows", whole.lead, base.complete.lead, whole.rmse, count(whole.images), count(whole.values))
    table.add_row()
    for fold in report.folds:
        row(f"fold {fold.fold}", fold.lead, fold.lead_baseline, fold.rmse, count(fold.images), count(fold.values))
    if not math.isnan(report.lead.fold_std):
        spread = f"± {amount(report.lead.fold_std, lead.unit)} std"
        shape = fmean(fold.lead_baseline for fold in report.folds if not math.isnan(fold.lead))
        mean = score.rmse_fold_mean
        row(f"mean of {len(report.folds)} folds", report.lead.fold_mean, shape, mean, note=spread)
    return table


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


def points_and_faces(pen: Pen, report: Report) -> RenderableType:
    """Both tables side by side where that leaves room for the bars, else one under the other."""
    faces, gap = _faces(pen, report), 4
    error = {"RMSE": "squared", "MAE": "absolute", "NME": "normalised"}[report.lead.score.name]
    share = f"{figure(report.worst_share * 100, 0)}% of all {error} error"
    low = Group(pen.section(f"Worst {len(report.worst)} images", share), faces)
    top = pen.section("Points", "RMSE per coordinate", "mean, median, p95 of the distance", "bias = predicted - label")
    room = pen.console.width - pen.width(faces) - gap
    beside = pen.width(_points(pen, report, 12)) <= room
    points = _fit(pen, lambda bar: _points(pen, report, bar), room if beside else pen.console.width, least=2)
    if not beside:
        return Group(top, points, "", low)
    grid = Table.grid(padding=(0, gap, 0, 0), pad_edge=False)
    grid.add_column(width=pen.width(points))
    grid.add_row(Group(top, points), low)
    return grid


def _points(pen: Pen, report: Report, bar: int) -> Table:
    most = max((point.rmse for point in report.points if point.labelled), default=math.nan)
    heads = ("mean/px", "median/px", "p95/px", "", "bias/dx px", "/dy px", "labels", "missing")
    axis = f"0{figure(most):>{bar - 1}}" if bar > 8 else ""
    table = pen.table("<point", "RMSE/px", f"</{axis}", *heads)
    for point in report.points:
        away = (figure(point.mean), figure(point.median), figure(point.p95))
        bias = (_arrow(point), figure(point.bias_dx, sign="+"), figure(point.bias_dy, sign="+"))
        counts = (count(point.labelled), count(point.missing))
        drawn = pen.bar(ratio(point.rmse, most), bar)
        table.add_row(
            pen.text(point.name), pen.text(figure(point.rmse)), drawn, *map(pen.text, (*away, *bias, *counts))
        )
    return table


def _faces(pen: Pen, report: Report) -> Table:
    lead = report.lead.score
    leading = [] if lead.name == "RMSE" else [f"{lead.name}/{lead.unit}"]
    table = pen.table("<id", "fold", "<scheme", "labels", *leading, "RMSE/px", "<worst point", "distance/px")
    for face in report.worst:
        where = (face.id, str(face.fold), face.scheme, str(face.labelled))
        figures = (*([figure(face.lead)] if leading else []), figure(face.rmse))
        table.add_row(*map(pen.text, (*where, *figures, face.worst_point, figure(face.worst_distance))))
    return table


def _fit(pen: Pen, make: Callable[[int], Table], room: int, least: int) -> Table:
    """The table of `make` with bars as wide as `room` leaves them, but not under `least` cells."""
    return make(max(least, min(WIDEST, least + room - pen.width(make(least)))))


def _arrow(point: Point) -> str:
    """Where the predictions lie from the labels, one of eight ways; nothing where that is slight."""
    if not math.hypot(point.bias_dx, point.bias_dy) > SLIGHT * point.rmse:
        return ""
    return ARROWS[round(math.atan2(point.bias_dy, point.bias_dx) / (math.pi / 4)) % 8]  # y grows downwards
