"""Pairs and people in the terminal: what was answered wrongly with most confidence, rightly, and of whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table

from kptool.report.pen import Pen
from kptool.report.words import count, figure, ratio
from kptool.verification.gallery import Pictures, rows_of_pairs
from kptool.verification.values import PairReport, PairRow
from kptool.verification.words import percent, who

GAP = 4
SHORT = 10  # rows that a table keeps where it was not asked for
LINES = 2  # of pictures, where they were asked for
ROOMY = 100  # cells from which there is room for bars of people
LEAST = 8  # cells of a bar


def pairs(pen: Pen, report: PairReport, pictures: Pictures | None, why: str, whole: bool) -> Iterator[RenderableType]:
    """The hardest wrong pairs and, where `whole` or beside them, the surest right ones; then their pictures."""
    titled = [("Hardest wrong pairs", report.hardest), ("Surest right pairs", report.surest)]
    blocks = [_titled(pen, title, rows, len(rows) if whole else SHORT) for title, rows in titled if rows]
    # What was right teaches less: without being asked for it only fills the room beside what was wrong.
    fits = sum(map(pen.width, blocks)) + GAP * (len(blocks) - 1) <= pen.room
    if blocks:
        yield pen.beside(*(blocks if whole or fits else blocks[:1]), gap=GAP)
    if why:
        yield pen.hang("NOTE", f"No pictures of pairs: {why}", "bold")
    if pictures is not None:
        for title, rows in titled if whole else titled[:1]:
            if rows:
                yield rows_of_pairs(pen, title, rows, pictures, LINES if whole else 1)


def _titled(pen: Pen, title: str, rows: Sequence[PairRow], kept: int) -> RenderableType:
    return Group(pen.section(title, *_first(kept, len(rows)), "by confidence"), _pairs(pen, rows[:kept]))


def _first(kept: int, rows: int) -> list[str]:
    """Says that a table is not whole."""
    return [f"the first {kept} of {count(rows)}"] if rows > kept else []


def _pairs(pen: Pen, rows: Sequence[PairRow]) -> Table:
    table = pen.table("<pair", "fold", "<truth", "<answer", "confidence/%", "score")
    for row in rows:
        words = (row.id, str(row.fold), who(row.same), who(row.decision), percent(row.confidence), figure(row.score, 3))
        table.add_row(*map(pen.text, words))
    return table


def people(pen: Pen, report: PairReport, whole: bool) -> RenderableType | None:
    """The people with most wrong pairs; None where no pair is wrong."""
    if not report.people:
        return None
    kept = len(report.people) if whole else SHORT
    some = _first(kept, len(report.people))
    title = pen.section("People with most wrong pairs", *some, "a pair of two people counts for both")
    return Group(title, pen.fit(lambda bar: _people(pen, report, kept, bar), pen.room, LEAST, 16))


def _people(pen: Pen, report: PairReport, kept: int, bar: int) -> Table:
    drawn = [f"</0{1:>{bar - 1}}"] if pen.room >= ROOMY else []
    heads = ("false/accepts", "false/rejects", "<picture in most/of them", "in")
    table = pen.table("<person", "pairs", "wrong", *drawn, *heads)
    for one in report.people[:kept]:
        counts = (one.false_accepts, one.false_rejects)
        table.add_row(
            *map(pen.text, (one.person, count(one.pairs), count(one.wrong))),
            *([pen.gauge(ratio(one.wrong, one.pairs), bar)] if drawn else []),
            *map(pen.text, (*map(count, counts), one.worst, count(one.worst_pairs))),
        )
    return table
