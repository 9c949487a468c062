"""Faces in the terminal: which kinds fail, the worst and the best images, and their pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table

from kptool.report.half_blocks import Gallery, row_of_pictures
from kptool.report.kinds_table import kinds
from kptool.report.pen import Pen
from kptool.report.values import Face, Report
from kptool.report.words import figure

GAP = 4


def faces(pen: Pen, report: Report, gallery: Gallery, whole: bool) -> Iterator[RenderableType]:
    """Kinds of faces, the worst images and, where `whole`, the best; pictures of them where there are some."""
    own = kinds(pen, report)
    if own is not None:
        yield own
    error = {"RMSE": "squared", "MAE": "absolute", "NME": "normalised"}[report.lead.score.name]
    share = f"{figure(report.worst_share * 100, 0)}% of all {error} error"
    worst = Group(pen.section(f"Worst {len(report.worst)} images", share), _table(pen, report, report.worst))
    best = Group(pen.section(f"Best {len(report.best)} images"), _table(pen, report, report.best))
    # The best teach less: without being asked for they only fill the room beside the worst.
    aside = pen.width(worst) + pen.width(best) + GAP <= pen.room
    yield pen.beside(worst, best, gap=GAP) if report.best and (whole or aside) else worst
    if gallery.why:
        yield pen.hang("NOTE", f"No pictures of faces: {gallery.why}", "bold")
    shown = [("Worst images", gallery.worst), *([("Best images", gallery.best)] if whole else [])]
    for title, portraits in shown:
        if portraits:
            yield row_of_pictures(pen, report, title, portraits)


def _table(pen: Pen, report: Report, rows: Sequence[Face]) -> Table:
    lead = report.lead.score
    leading = [] if lead.name == "RMSE" else [f"{lead.name}/{lead.unit}"]
    table = pen.table("<id", "fold", "<scheme", "labels", *leading, "RMSE/px", "<worst point", "distance/px")
    for face in rows:
        where = (face.id, str(face.fold), face.scheme, str(face.labelled))
        figures = (*([figure(face.lead)] if leading else []), figure(face.rmse))
        table.add_row(*map(pen.text, (*where, *figures, face.worst_point, figure(face.worst_distance))))
    return table
