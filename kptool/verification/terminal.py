"""The report on pairs in a terminal of 80 columns or more: plain, dense, and the same words when piped.

Shares are shown in per cent. Colour repeats what words, lengths and places already say. All text goes through
`Pen.text`, because names come from files and must neither be markup nor steer the terminal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final, Literal, get_args

from rich.console import Console, RenderableType

from kptool.report.pen import Pen
from kptool.verification import plots, tables
from kptool.verification.gallery import Pictures
from kptool.verification.heading import heading, headline
from kptool.verification.histogram import histogram
from kptool.verification.pairs_table import pairs, people
from kptool.verification.training import training
from kptool.verification.values import PairReport

__all__ = ["SECTIONS", "PairSection", "headline", "render"]

PairSection = Literal["folds", "pairs", "people", "curves"]
SECTIONS: Final[tuple[PairSection, ...]] = get_args(PairSection)
BESIDE = 100  # cells from which two plots stand beside each other
GAP = 4


def render(
    report: PairReport,
    console: Console,
    sections: Collection[PairSection] = (),
    pictures: Pictures | None = None,
    why: str = "",
) -> None:
    """Print the report: the score and what to know before believing it, then the sections.

    Args:
        sections: those to print; with none, all of them at their shortest. Curves stand on both sides of the pairs:
            what tells of scores before them, the training at the end.
        pictures: (n,) rows of the data's pictures -> (n, C, H, W) uint8, for the section of pairs; None draws none.
        why: says why there are no pictures, where they were asked for.
    """
    pen = Pen(console)
    blocks = [*heading(pen, report), *_sections(pen, report, sections, pictures, why)]
    for place, block in enumerate(blocks):
        console.print(*([""] if place else []), block, sep="\n")


def _sections(
    pen: Pen, report: PairReport, wanted: Collection[PairSection], pictures: Pictures | None, why: str
) -> Iterator[RenderableType]:
    shown, whole = wanted or SECTIONS, bool(wanted)
    if "folds" in shown:
        yield tables.folds(pen, report)
    if "curves" in shown:
        yield from _scores(pen, report, whole)
    if "pairs" in shown:
        yield from pairs(pen, report, pictures, why, whole)
    if "people" in shown and (block := people(pen, report, whole)) is not None:
        yield block
    if "curves" in shown:
        yield from _training(pen, report)


def _scores(pen: Pen, report: PairReport, whole: bool) -> Iterator[RenderableType]:
    """The ROC, its left end where there is room or it was asked for, the histogram, and the calibration."""
    half = _half(pen)
    left = plots.rare(half, report) if pen.room >= BESIDE or whole else None
    yield from _beside(pen, plots.roc(half, report), left)
    yield from _beside(pen, histogram(half, report.histogram), tables.calibration(half, report))


def _training(pen: Pen, report: PairReport) -> Iterator[RenderableType]:
    half, table = _half(pen), training(_half(pen), report)
    if table is not None and pen.width(table) > half.room:
        half, table = pen, training(pen, report)
    yield from _beside(pen, plots.heldout(half, report.curves), table)


def _beside(pen: Pen, *blocks: RenderableType | None) -> Iterator[RenderableType]:
    if known := [block for block in blocks if block is not None]:
        yield pen.beside(*known, gap=GAP)


def _half(pen: Pen) -> Pen:
    """A pen for one of two blocks beside each other, where there is room for two."""
    return Pen(pen.console, (pen.room - GAP) // 2) if pen.room >= BESIDE else pen
