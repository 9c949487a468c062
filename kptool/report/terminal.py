"""The error report in a terminal of 80 columns or more: plain, dense, and the same words when piped.

Every length is in px. Colour repeats what words, lengths and shapes already say. All text goes through `Pen.text`,
because ids and names come from files and must neither be markup nor steer the terminal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final, Literal, get_args

from rich.console import Console, Group, RenderableType

from kptool.report import tables
from kptool.report.faces_table import faces
from kptool.report.half_blocks import NONE, Gallery
from kptool.report.heading import heading, headline
from kptool.report.parts_table import parts
from kptool.report.pen import Pen
from kptool.report.plots import cumulative, heldout
from kptool.report.points_table import points
from kptool.report.training_table import training
from kptool.report.values import Report
from kptool.report.words import amount, count

__all__ = ["SECTIONS", "Section", "headline", "render"]

Section = Literal["schemes", "folds", "points", "faces", "curves"]
SECTIONS: Final[tuple[Section, ...]] = get_args(Section)
BESIDE = 100  # cells from which two plots stand beside each other


def render(report: Report, console: Console, sections: Collection[Section] = (), gallery: Gallery = NONE) -> None:
    """Print the report: the score and what to know before believing it, then the sections.

    Args:
        sections: those to print, in the order of SECTIONS; with none, all of them at their shortest.
        gallery: pictures for the section of faces.
    """
    pen = Pen(console)
    for place, block in enumerate([*heading(pen, report), *_sections(pen, report, sections, gallery)]):
        console.print(*([""] if place else []), block, sep="\n")


def _sections(pen: Pen, report: Report, wanted: Collection[Section], gallery: Gallery) -> Iterator[RenderableType]:
    shown = [section for section in SECTIONS if section in (wanted or SECTIONS)]
    if "schemes" in shown or "folds" in shown:
        yield parts(pen, report, "schemes" in shown, "folds" in shown)
    if "schemes" in shown:
        yield from _schemes(pen, report)
    if "points" in shown:
        yield points(pen, report)
    if "faces" in shown:
        yield from faces(pen, report, gallery, whole=bool(wanted))
    if "curves" in shown:
        yield from tables.errors(pen, report)
        yield from _curves(pen, report)


def _curves(pen: Pen, report: Report) -> Iterator[RenderableType]:
    """The plots, side by side where they fit, and the training below."""
    half = Pen(pen.console, (pen.room - 4) // 2 if pen.room >= BESIDE else pen.room)
    drawn = [
        None if report.ced is None else cumulative(half, report.ced),
        heldout(half, report.curves),
    ]
    if blocks := [block for block in drawn if block is not None]:
        yield pen.beside(*blocks)
    if (block := training(pen, report)) is not None:
        yield block


def _schemes(pen: Pen, report: Report) -> list[RenderableType]:
    """What answering in the scheme of its own labels is worth to each scheme's images, against the best of the others.

    It is one model in both columns. What knowing schemes is worth to a model only a second run can tell.
    """
    if not report.rivals:
        return []
    lines = [
        pen.hang(
            one.scheme,
            f"RMSE {amount(one.rmse_own, 'px')} in their own scheme, {amount(one.rmse_other, 'px')} answered as "
            f"{one.other}, over the {count(one.points)} point{'s' * (one.points > 1)} both mark",
            "bold",
        )
        for one in report.rivals
    ]
    title = pen.section("Images answered in another marking scheme", "one model", "plain view", "out of fold")
    more = "A model without schemes: the same recipe with --set model.per_scheme=false, and kptool compare of both runs"
    return [Group(title, *lines, pen.text(more, "dim"))]
