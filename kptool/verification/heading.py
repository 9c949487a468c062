"""What a report on pairs says first: the score in words, and all that must be known before believing it."""

from __future__ import annotations

import math

from rich.console import Group, RenderableType

from kptool.report.pen import ORANGE, Pen
from kptool.report.words import count, duration, printable
from kptool.verification.tables import figures
from kptool.verification.values import PairAbout, PairReport
from kptool.verification.words import percent, several, span, with_sign


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
    """Whether the model beats the hand-made baseline, in plain words."""
    other, gain = report.classical, report.gain
    if other is None:
        words = "None was made in this run, so nothing tells what the net is worth beside hand-made features."
        return pen.hang("BASELINE", words, "bold")
    points = f"{percent(gain, 1, '+')} points of accuracy"
    if not math.isnan(report.gain_low):
        points += f", 95% interval {span(report.gain_low, report.gain_high, '+')}"
    words = _against(report).format("the hand-made baseline")
    return pen.hang("BASELINE", f"{words} ({other.name}): {points}.", "bold" if report.gain_low > 0 else ORANGE)


def _against(report: PairReport) -> str:
    if report.gain_low > 0:
        return "The model beats {}"
    if report.gain_high < 0:
        return "The model is WORSE than {}"
    if math.isnan(report.gain_low):
        return "Too few groups of pairs to tell whether the model beats {}"
    return "The model does NOT beat {} beyond chance"


def _leak(pen: Pen, about: PairAbout) -> RenderableType:
    """How many held-out pairs training knows a person of, and how many a split without care would have."""
    shown = round(about.own_leak * about.scored)
    other = "" if math.isnan(about.naive_leak) else f"; a random split would have {100 * about.naive_leak:.0f} %"
    words = f"{count(shown)} of {count(about.scored)} held-out pairs show a person seen in training{other}."
    return pen.hang("LEAK" if shown else "NO LEAK", words, ORANGE if shown else "bold")
