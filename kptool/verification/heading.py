"""What a report on pairs says first: the score in words, and all that must be known before believing it."""

from __future__ import annotations

import math

from rich.console import Group, RenderableType

from kptool.report.pen import ORANGE, Pen
from kptool.report.words import count, duration, printable
from kptool.verification.tables import figures
from kptool.verification.values import PairAbout, PairReport
from kptool.verification.words import leak, percent, several, verdict, with_sign


def headline(report: PairReport) -> str:
    """The score in one line of plain text, as a log may hold it: what was measured, on which pairs and how."""
    return printable(" · ".join(_score(report)))


def heading(pen: Pen, report: PairReport) -> list[RenderableType]:
    """What was run, its score beside the baseline's, what keeps training and held-out people apart, and warnings."""
    return [
        _about(pen, report.about),
        Group(pen.flow(_score(report), "bold"), figures(pen, report)),
        _verdict(pen, report),
        _leak(pen, report.about),
        *(pen.hang("WARNING", words, ORANGE) for words in report.warnings),
    ]


def _score(report: PairReport) -> list[str]:
    about, model, folds = report.about, report.model, report.folds
    error = (
        "" if math.isnan(model.standard_error) else f" ± {percent(model.standard_error)} (SE over {len(folds)} folds)"
    )
    honest = all(fold.honest for fold in folds)
    return [
        f"accuracy {with_sign(model.accuracy)}{error}",
        *filter(None, [about.protocol, about.alignment]),
        "threshold from the other folds" if honest else "threshold from the fold's own pairs, which flatters",
        *([f"over {count(about.scored)} of {count(about.pairs)} pairs"] if about.scored < about.pairs else []),
    ]


def _about(pen: Pen, about: PairAbout) -> RenderableType:
    speed = "" if about.pairs_per_second is None else f" at {about.pairs_per_second:,.0f} pairs/s"
    width, height = about.size
    facts = [
        f"recipe {about.recipe} {about.recipe_digest[:12]}",
        f"data {about.data_digest[:12]}",
        f"{several(about.pairs, 'pair')}: {count(about.same)} same, {count(about.pairs - about.same)} different",
        f"{several(about.images, 'picture')} of {count(about.people)} people in {several(about.groups, 'group')}",
        f"frames of {width} × {height} px",
        *([] if about.parameters is None else [f"{about.parameters:,} parameters"]),
        f"views {about.views}",
        f"weights of the {about.keep} epoch",
        f"{about.precision} on {about.device}",
        *([] if about.seconds is None else [f"trained in {duration(about.seconds)}{speed}"]),
    ]
    return Group(pen.flow([about.title, f"run {about.run}"], "bold"), pen.flow(facts, "dim"))


def _verdict(pen: Pen, report: PairReport) -> RenderableType:
    won = report.classical is None or report.gain_low > 0
    return pen.hang("BASELINE", verdict(report), "bold" if won else ORANGE)


def _leak(pen: Pen, about: PairAbout) -> RenderableType:
    leaked = about.own_leak > 0
    return pen.hang("LEAK" if leaked else "NO LEAK", leak(about), ORANGE if leaked else "bold")
