"""What became of an ensemble's runs and weights, as lines of text and as JSON."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from kptool.ensemble.joining import Joined
from kptool.ensemble.pairs_joining import JoinedPairs
from kptool.ensemble.pairs_weighing import WeighedPairs
from kptool.ensemble.weighing import Weighed
from kptool.report.scored import scored
from kptool.report.words import amount
from kptool.runs import Run
from kptool.verification import build


def lines(joined: Joined, weighed: Weighed) -> list[str]:
    """A line for each run with its out-of-fold score and its weight, mean over the labels; and one on the weights."""
    first, unit = joined.first, "%" if joined.first.metric == "nme" else "px"
    labelled, out = np.isfinite(first.truth).all(-1), []
    for run, outcome, weight in zip(joined.runs, joined.outcomes, weighed.weights, strict=True):
        one = scored(replace(first, predicted=outcome.predicted))
        score = f"{first.metric.upper()} {amount(one.leading(one.errors), unit)}"
        out.append(f"  {run.path.name} {run.digest}: {score}, weight {weight[first.scheme][labelled].mean():.3f}")
    return [*out, told(weighed, "per marking scheme and point")]


def pair_lines(joined: JoinedPairs, weighed: WeighedPairs) -> list[str]:
    """`lines` of runs of pairs: each with its accuracy, mean over the folds, and its weight."""
    out = []
    for run, outcome, weight in zip(joined.runs, joined.outcomes, weighed.weights, strict=True):
        accuracy = amount(100 * build(outcome).model.accuracy, "%")
        out.append(f"  {run.path.name} {run.digest}: accuracy {accuracy}, weight {weight:.3f}")
    return [*out, told(weighed, "by logistic regression")]


def told(weighed: Weighed | WeighedPairs, way: str) -> str:
    """What became of the weights, in one line.

    Args:
        way: that a fit has, in words.
    """
    if weighed.gain is None:
        return "equal weights"
    if weighed.how == "equal":
        return f"equal weights: fitted ones {weighed.gain.words()}"
    return f"weights fitted {way}: they {weighed.gain.words()}"


def to_json(run: Run, weighed: Weighed | WeighedPairs) -> dict[str, Any]:
    """The ensemble's weights by run, and the gain of a fit: {"weights": how, "gain": ..., "members": [...]}."""
    members, found = run.members, weighed.gain
    assert members is not None
    told_of = [
        {"run": one.name, "recipe_digest": one.recipe_digest, "weights": members.by_name(row, *run.weighed)}
        for row, one in enumerate(members.each)
    ]
    figures = None
    if found is not None:
        known = found._asdict() | {"gain": found.value}
        figures = {key: None if value != value else value for key, value in known.items()}
    return {"digest": run.digest, "weights": weighed.how, "fit": figures, "members": told_of}
