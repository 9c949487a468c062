"""The figures of a report on pairs as rows of text, for terminal and page alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from kptool.report.words import figure
from kptool.verification.values import Accepted, Figures, PairReport
from kptool.verification.words import percent, rate, several, span


class Measure(NamedTuple):
    """One row of the figures; `share` says that it is shown in per cent."""

    name: str
    value: Callable[[Figures], float]
    share: bool = True


def figure_rows(report: PairReport) -> Iterator[tuple[str, str, str, str]]:
    """Each row's name, and its figures as texts; the last two are empty without a baseline."""
    model, other = report.model, report.classical or report.model
    yield "accuracy %", percent(model.accuracy), percent(other.accuracy), percent(report.gain, 1, "+")
    ends = span(report.gain_low, report.gain_high, "+")
    yield "95% interval", span(model.low, model.high), span(other.low, other.high), ends
    error = f"± SE over {several(len(report.folds), 'fold')}"
    yield error, percent(model.standard_error), percent(other.standard_error), ""
    for name, value, share in _measures(model):
        show: Callable[..., str] = partial(percent, digits=1) if share else partial(figure, digits=3)
        mine, theirs = value(model), value(other)
        yield name, show(mine), show(theirs), show(mine - theirs, sign="+")


def _measures(model: Figures) -> Iterator[Measure]:
    yield Measure("AUC", lambda one: one.auc, share=False)
    yield Measure("EER %", lambda one: one.eer)
    for accepted in model.accepted:
        yield Measure(f"TAR % at {rate(accepted.far)}", partial(_tar, accepted))
    yield Measure("Brier", lambda one: one.brier, share=False)
    yield Measure("log loss", lambda one: one.log_loss, share=False)


def _tar(at: Accepted, one: Figures) -> float:
    return next((accepted.tar for accepted in one.accepted if accepted.far == at.far), math.nan)
