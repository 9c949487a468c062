"""The error report in a terminal of 80 columns or more: plain, dense, and the same words when piped.

Every length is in px. Colour repeats what words and lengths already say. All text goes through `Pen.text`, because ids
and names come from files and must neither be markup nor steer the terminal.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import fmean

from rich.console import Console, Group, RenderableType
from rich.table import Table

from kptool.report.pen import ARROWS, ORANGE, Pen
from kptool.report.values import About, Point, Report

WIDEST = 28  # cells of a bar
WORTH_SAYING = 0.2  # px
SLIGHT = 0.1  # a bias under this part of the point's RMSE gets no arrow


def headline(report: Report) -> str:
    """The score in one line of plain text, as a log may hold it."""
    score = report.metrics
    parts = [f"mean shape {report.baseline.rmse:.3f} px", *_beside(report)]
    return f"{score.name} {score.rmse:.3f} {score.unit}, {score.pooling} ({', '.join(parts)})"


def render(report: Report, console: Console) -> None:
    """Print the report: the score, what to know before believing it, then schemes, folds, points and worst faces."""
    pen = Pen(console)
    parts = _fit(pen, lambda bar: _parts(pen, report, bar), console.width, least=16)
    warnings = [pen.hang("WARNING", words, ORANGE) for words in report.warnings]
    for block in (_about(pen, report.about), _score(pen, report), *warnings, *_habits(pen, report), parts):
        console.print(block, "", sep="\n")
    console.print(_points_and_faces(pen, report))


def _about(pen: Pen, about: About) -> RenderableType:
    groups = f" in {count(about.groups)} groups" if about.groups and about.groups != about.images else ""
    speed = "" if about.images_per_second is None else f" at {about.images_per_second:,.0f} images/s"
    facts = [
        f"recipe {about.recipe} {about.recipe_digest[:12]}",
        f"data {about.data_digest[:12]}",
        f"{count(about.images)} images of {about.size[0]} × {about.size[1]} px{groups}",
        f"views {about.views}",
        f"weights of the {about.keep} epoch",
        f"{about.precision} on {about.device}",
        *([] if about.seconds is None else [f"trained in {duration(about.seconds)}{speed}"]),
    ]
    return Group(pen.flow([about.title, f"run {about.run}"], "bold"), pen.flow(facts, "dim"))


def _habits(pen: Pen, report: Report) -> list[RenderableType]:
    """What was learned of how the labels were placed, where it is worth a word."""
    if all(abs(v) < WORTH_SAYING for v in report.label_shift.values()):
        return []
    places = ", ".join(f"{v:+.2f} px ({name})" for name, v in report.label_shift.items())
    words = (
        f"Labels sit to the right of the pixels they mean by {places}: mirrored copies showed it. It is taken off in "
        "training and put back into predictions, so it costs no score; half a pixel means counting from pixel corners."
    )
    return [pen.hang("NOTE", words, "bold")]


def _score(pen: Pen, report: Report) -> RenderableType:
    score, base = report.metrics, report.baseline.rmse
    lead = pen.text(f"{score.name} {score.rmse:.3f} {score.unit}", "bold")
    lead.append(pen.text(f"   {figure(ratio(score.rmse, base))} times the mean shape's {base:.3f} px"))
    counts = f"pooled over all {count(score.values)} labelled coordinates of {count(score.images)} images, out of fold"
    beside = _beside(report)
    return Group(lead, pen.text(counts), *([pen.flow(beside)] if beside else []))


def _beside(report: Report) -> list[str]:
    """The figures that belong beside the score."""
    score, figures = report.metrics, []
    if not math.isnan(score.rmse_fold_std):
        figures.append(f"mean of {len(report.folds)} folds {score.rmse_fold_mean:.3f} ± {score.rmse_fold_std:.3f} px")
    if len(score.by_scheme) > 1 and score.rmse_test_mix_reason is None:
        figures.append(f"at the test set's mix of schemes {score.rmse_test_mix:.3f} px")
    return figures


def _parts(pen: Pen, report: Report, bar: int) -> Table:
    score, base, mix = report.metrics, report.baseline, report.metrics.test_mix or {}
    mixed = ["test mix/%"] if len(score.by_scheme) > 1 else []
    heads = ("mean shape/px", "ratio", f"</0{'1':>{bar - 1}}", "images", "values", *mixed)
    table = pen.table("<scored on", "RMSE/px", *heads)

    def row(name: str, rmse: float, shape: float, *counts: str, note: str = "") -> None:
        figures = (figure(rmse, 3), figure(shape, 3), figure(ratio(rmse, shape)))
        drawn = pen.text(note) if note else pen.gauge(ratio(rmse, shape), bar)
        table.add_row(pen.text(name), *map(pen.text, figures), drawn, *map(pen.text, counts))

    row("all labelled", score.rmse, base.rmse, count(score.images), count(score.values))
    for name, part in score.by_scheme.items() if mixed else ():
        share = figure(mix.get(name, math.nan) * 100, 1)
        row(name, part.rmse, base.by_scheme[name].rmse, count(part.images), count(part.values), share)
    if mixed:
        row("test mix", score.rmse_test_mix, base.rmse_test_mix, note=score.rmse_test_mix_reason or "")
    whole = score.complete
    if 0 < whole.images < score.images:
        row("complete rows", whole.rmse, base.complete.rmse, count(whole.images), count(whole.values))
    table.add_row()
    for fold in report.folds:
        row(f"fold {fold.fold}", fold.rmse, fold.baseline, count(fold.images), count(fold.values))
    if not math.isnan(score.rmse_fold_std):
        spread = f"± {score.rmse_fold_std:.3f} px std"
        shape = fmean(fold.baseline for fold in report.folds if fold.values)
        row(f"mean of {len(report.folds)} folds", score.rmse_fold_mean, shape, note=spread)
    return table


def _points_and_faces(pen: Pen, report: Report) -> RenderableType:
    """Both tables side by side where that leaves room for the bars, else one under the other."""
    faces, gap = _faces(pen, report), 4
    share = f"{figure(report.worst_share * 100, 0)}% of all squared error"
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
    table = pen.table("<id", "fold", "<scheme", "labels", "RMSE/px", "<worst point", "distance/px")
    for face in report.worst:
        where = (face.id, str(face.fold), face.scheme, str(face.labelled))
        table.add_row(*map(pen.text, (*where, figure(face.rmse), face.worst_point, figure(face.worst_distance))))
    return table


def _fit(pen: Pen, make: Callable[[int], Table], room: int, least: int) -> Table:
    """The table of `make` with bars as wide as `room` leaves them, but not under `least` cells."""
    return make(max(least, min(WIDEST, least + room - pen.width(make(least)))))


def _arrow(point: Point) -> str:
    """Where the predictions lie from the labels, one of eight ways; nothing where that is slight."""
    if not math.hypot(point.bias_dx, point.bias_dy) > SLIGHT * point.rmse:
        return ""
    return ARROWS[round(math.atan2(point.bias_dy, point.bias_dx) / (math.pi / 4)) % 8]  # y grows downwards


def ratio(part: float, whole: float) -> float:
    """part / whole, and NaN where there is no whole."""
    return part / whole if whole else math.nan


def count(number: int) -> str:
    """A count to read: thousands are set apart from 10,000 on."""
    return f"{number:,}" if number >= 10_000 else str(number)


def figure(value: float, digits: int = 2, sign: str = "") -> str:
    """A figure to read, one decimal from 100 on, or a dash where there is none."""
    digits = digits if abs(value) < 100 else 1
    return "–" if math.isnan(value) else f"{round(value, digits) + 0.0:{sign}.{digits}f}"  # + 0.0 turns -0.0 into 0.0


def duration(seconds: float) -> str:
    """Seconds to read: 41 s, 4 min 31 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"
