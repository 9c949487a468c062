"""The leading metric on marking schemes and folds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import fmean
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table

from kptool.report.details import Calibration
from kptool.report.pen import Pen
from kptool.report.values import Part, Report
from kptool.report.words import amount, count, digits, figure, ratio

LEAST = 8  # cells of a bar


class Line(NamedTuple):
    """A row of the table; a figure that it does not have is NaN, a text empty.

    Attributes:
        own, shape: the leading metric, of the model and of the mean shape.
        counts: images and values.
        mix: the part of the test set's values in %.
        note: words in place of a bar.
    """

    name: str
    own: float
    shape: float
    rmse: float
    counts: tuple[str, str] = ("", "")
    mix: str = ""
    note: str = ""


def parts(pen: Pen, report: Report, schemes: bool = True, folds: bool = True) -> RenderableType:
    """The score of all images, of each marking scheme and of each fold, with bars as wide as there is room for."""
    blocks = [[_all(report), *(_schemes(report) if schemes else [])], list(_folds(report)) if folds else []]
    mixed = schemes and _mixed(report)
    table = pen.fit(lambda bar: _table(pen, report, bar, blocks, mixed), pen.room, LEAST)
    made = _judged(report)
    if made is None:
        return table
    note = f"in {made.level:.0%} radius = labels within their point's radius, made from the other folds"
    return Group(table, pen.text(note, "dim"))


def _judged(report: Report) -> Calibration | None:
    """The calibration; None where none of its radii could be held against labels of another fold."""
    made = report.calibration
    return None if made is None or math.isnan(made.overall.share) else made


def _mixed(report: Report) -> bool:
    """Whether the test set's mix of schemes is a row: what it makes of a score is only known for squares."""
    return len(report.metrics.by_scheme) > 1 and report.lead.score.name == "RMSE"


def _all(report: Report) -> Line:
    score, lead = report.metrics, report.lead.score
    return Line("all labelled", lead.value, lead.mean_shape, score.rmse, (count(score.images), count(score.values)))


def _schemes(report: Report) -> Iterator[Line]:
    score, base = report.metrics, report.baseline
    mixed = _mixed(report)
    for name, part in score.by_scheme.items() if len(score.by_scheme) > 1 else ():
        mix = figure((score.test_mix or {}).get(name, math.nan) * 100, 1) if mixed else ""
        yield _part(name, part, base.by_scheme[name])._replace(mix=mix)
    if mixed:
        reason = score.rmse_test_mix_reason or ""
        yield Line("test mix", score.rmse_test_mix, base.rmse_test_mix, math.nan, note=reason)
    if 0 < score.complete.images < score.images:
        yield _part("complete rows", score.complete, base.complete)


def _part(name: str, part: Part, shape: Part) -> Line:
    return Line(name, part.lead, shape.lead, part.rmse, (count(part.images), count(part.values)))


def _folds(report: Report) -> Iterator[Line]:
    for fold in report.folds:
        counts = (count(fold.images), count(fold.values))
        yield Line(f"fold {fold.fold}", fold.lead, fold.lead_baseline, fold.rmse, counts)
    if not math.isnan(report.lead.fold_std):
        shape = fmean(fold.lead_baseline for fold in report.folds if not math.isnan(fold.lead))
        spread = f"± {amount(report.lead.fold_std, report.lead.score.unit)} std"
        name = f"mean of {len(report.folds)} folds"
        yield Line(name, report.lead.fold_mean, shape, report.metrics.rmse_fold_mean, note=spread)


def _table(pen: Pen, report: Report, bar: int, blocks: list[list[Line]], mixed: bool) -> Table:
    lead, made = report.lead.score, _judged(report)
    by_rmse, places = lead.name == "RMSE", digits(lead.unit)
    heads = [f"{lead.name}/{lead.unit}", f"mean/shape {lead.unit}", "ratio", f"</0{'1':>{bar - 1}}"]
    heads += [*([] if by_rmse else ["RMSE/px"]), "images", "values"]
    heads += [*([] if made is None else [f"in {made.level:.0%}/radius %"]), *(["test/mix %"] if mixed else [])]
    table = pen.table("<scored on", *heads)
    held = {} if made is None else {one.name: one.share for one in (*made.folds, *made.schemes)}
    held |= {} if made is None else {_all(report).name: made.overall.share}
    for place, lines in enumerate(blocks):
        if place and lines:
            table.add_row()
        for line in lines:
            figures = (figure(line.own, places), figure(line.shape, places), figure(ratio(line.own, line.shape)))
            drawn = pen.text(line.note) if line.note else pen.gauge(ratio(line.own, line.shape), bar)
            covered = figure(100 * held[line.name], 1) if line.name in held else ""
            last = [*([] if by_rmse else [figure(line.rmse, 3)]), *line.counts, *([] if made is None else [covered])]
            last += [line.mix] if mixed else []
            table.add_row(pen.text(line.name), *map(pen.text, figures), drawn, *map(pen.text, last))
    return table
