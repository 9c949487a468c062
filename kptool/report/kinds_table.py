"""Kinds of faces in the terminal: which of them fails, and whether by more than the luck of the images."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kptool.report.details import GroupScore
from kptool.report.pen import BLUE, ORANGE, Pen
from kptool.report.scores import Score
from kptool.report.values import Report
from kptool.report.words import amount, count, digits, figure, ratio

ROOMY, HALF_ROOMY = 110, 90  # cells from which there is room for what each kind means, and for the mean shape
LEAST = 12  # cells of an interval's track
FAR = 2.5  # times the error of all images


def kinds(pen: Pen, report: Report) -> RenderableType | None:
    """The table of the kinds, and the worst of each grouping in words; None where there are none."""
    if not report.groups:
        return None
    score = report.lead.score
    title = pen.section(
        "Kinds of faces", f"{_dot(pen)} with its 95% interval", f"┆ all: {amount(score.value, score.unit)}"
    )
    table = pen.fit(lambda track: _table(pen, report, track), pen.room, least=LEAST)
    return Group(title, table, *_words(pen, report))


def _table(pen: Pen, report: Report, track: int) -> Table:
    score, worst = report.lead.score, list(_worst(report.groups))
    ends = _ends(report.groups, score.value)
    low, high = (figure(end) for end in ends)
    heads = ("images", f"{score.name}/{score.unit}", "95% interval/", f"</{low}{high:>{track - len(low)}}")
    roomy = pen.room >= ROOMY
    shape = pen.room >= HALF_ROOMY
    head = [f"mean shape/{score.unit}"] if shape else []
    table = pen.table("<kind", *(["<"] if roomy else []), *heads, *head)
    places = digits(score.unit)
    for about, own in groupby(report.groups, lambda one: one.about):
        if table.row_count:
            table.add_row()
        for one in own:
            style = ORANGE if one in worst and _stands_out(one, score) else ""
            name = f"{one.name} ({about})" if about == "size" else one.name  # "small" alone does not tell what is
            span = "–" if math.isnan(one.low) else f"{figure(one.low, places)} to {figure(one.high, places)}"
            cells = [pen.text(name, style), *([pen.text(one.range, "dim")] if roomy else [])]
            figures = (count(one.images), figure(one.lead, places), span)
            drawn = _track(pen, one, ends, score.value, track)
            beside = [pen.text(figure(one.mean_shape, places))] if shape else []
            table.add_row(*cells, *map(pen.text, figures), drawn, *beside)
    return table


def _track(pen: Pen, one: GroupScore, ends: tuple[float, float], overall: float, cells: int) -> Text:
    """The score as a dot, its interval as a line, and where the score of all images stands."""
    low, high, dot, whole = (_cell(value, ends, cells) for value in (one.low, one.high, one.lead, overall))
    drawn = [" "] * cells
    if low is not None and high is not None:
        drawn[low : high + 1] = "─" * (high + 1 - low)
    if whole is not None:
        drawn[whole] = "┆"
    if one.high > ends[1]:
        drawn[-1] = ">"
    if dot is not None:
        drawn[dot] = _dot(pen) if one.lead <= ends[1] else ">"
    text = pen.text("".join(drawn))
    if dot is not None:
        text.stylize(ORANGE if one.low > overall else BLUE, dot, dot + 1)
    return text


def _dot(pen: Pen) -> str:
    return "o" if pen.ascii else "●"


def _cell(value: float, ends: tuple[float, float], cells: int) -> int | None:
    if math.isnan(value):
        return None
    return min(round((value - ends[0]) / (ends[1] - ends[0]) * (cells - 1)), cells - 1)


def _ends(groups: Sequence[GroupScore], overall: float) -> tuple[float, float]:
    """Both ends of the tracks; what lies far out, mostly a kind of few images, is cut off there."""
    known = [v for one in groups for v in (one.low, one.high, one.lead) if not math.isnan(v)] + [overall]
    high = min(max(known), FAR * overall)
    return min(known), high if high > min(known) else min(known) + 1


def _worst(groups: Sequence[GroupScore]) -> Iterator[GroupScore]:
    """The kind of the largest error in each grouping."""
    for _, own in groupby(groups, lambda one: one.about):
        yield max(own, key=lambda one: -math.inf if math.isnan(one.lead) else one.lead)


def _stands_out(one: GroupScore, score: Score) -> bool:
    return one.low > score.value


def _words(pen: Pen, report: Report) -> list[RenderableType]:
    score = report.lead.score
    worst = list(_worst(report.groups))
    out = sorted((one for one in worst if _stands_out(one, score)), key=lambda one: -one.lead)
    others = [one.about for one in worst if one not in out]
    said = [
        f"{_named(one)} {amount(one.lead, score.unit)}, {figure(ratio(one.lead, score.value))} times all" for one in out
    ]
    if others:
        said.append(f"by {_list(others)} no kind is worse than all images beyond its interval")
    return [pen.hang("Fails most:" if out else "Kinds:", "; ".join(said) + ".", "bold")]


def _named(one: GroupScore) -> str:
    """A kind with what that means, where its name does not say it."""
    return one.name if one.about == "labelled points" else f"{one.name} ({one.range})"


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
