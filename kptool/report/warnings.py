"""What the numbers say in words: a report must not leave it to its reader to see that a model learned nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from kptool.geometry import Floats
from kptool.report.values import Report
from kptool.report.words import amount

COLLAPSED = 0.5  # spread of the predictions over that of the labels; below, under a quarter of the variance is left
LAGGING = 1.25  # a fold's score over the median fold's
ENOUGH = 20  # labels a single point needs before its spread says anything

_REMEDY = (
    "Likely causes: a learning rate far too high or too low, too few epochs, weights that did not load, or a "
    "normalisation of the input that does not fit them"
)


def spread_ratio(predicted: Floats, truth: Floats) -> float:
    """Standard deviation of the predictions over that of the labels, both over images and pooled over coordinates.

    Give both in the frame that the model is shown: a face's place in its photo is told by its box, not found. Each
    coordinate counts the images where it is labelled, so both spreads are over the same places. A model that answers
    one mean face has 0, a perfect one 1; the best of uncertain guesses lies between. NaN where the labels of (N, K, 2)
    do not vary.
    """
    guess, label = _variance(np.where(np.isfinite(truth), predicted, np.nan)), _variance(truth)
    return float(np.sqrt(guess / label)) if label > 0 else float("nan")


def _variance(points: Floats) -> float:
    seen = np.isfinite(points)
    mean = np.where(seen, points, 0).sum(0) / np.maximum(seen.sum(0), 1)
    return float((np.where(seen, points - mean, 0) ** 2).sum() / max(int(seen.sum()), 1))


def warn(report: Report) -> tuple[str, ...]:
    """What a reader must know before believing the score, the gravest first; one sentence or two each."""
    checks = (_collapse, _unknown, _useless, _lagging, _schemes, _partial, _optimistic)
    return tuple(sentence for check in checks for sentence in check(report))


def _collapse(report: Report) -> Iterable[str]:
    ratio = report.metrics.spread_ratio
    if ratio < COLLAPSED:
        yield (
            f"The model has collapsed: it answers nearly the same mean face for every image. Its predictions spread "
            f"{ratio:.2f} times as wide as the labels; where a model sees the face that is near 1. {_REMEDY}."
        )
        return
    stuck = [p for p in report.points if p.spread_ratio < COLLAPSED and p.labelled >= ENOUGH]
    if stuck:
        names = ", ".join(f"{p.name} ({p.spread_ratio:.2f})" for p in stuck)
        yield (
            f"Collapsed for some points, answered at nearly the same place in every image: {names}; in brackets the "
            f"spread of the predictions over that of the labels. Check whether these points are learned at all."
        )


def _unknown(report: Report) -> Iterable[str]:
    score = report.lead.score
    if score.normaliser and not score.images:
        yield (
            f"The {score.name} is not known: no image predicted has the {score.normaliser} to divide by. Name its "
            "points in competition.toml (scale_pair, pupils), or choose another normaliser."
        )


def _useless(report: Report) -> Iterable[str]:
    score, unit = report.lead.score, report.lead.score.unit
    if score.value >= score.mean_shape:
        yield (
            f"No better than the mean shape: {amount(score.value, unit)} against {amount(score.mean_shape, unit)} for "
            "answering every image with the average of the other folds. The model has learned nothing that counts."
        )
        return
    for name, part in report.metrics.by_scheme.items():
        base = report.baseline.by_scheme[name].lead
        if part.lead >= base:
            yield (
                f"No better than the mean shape on the images of {name}: {amount(part.lead, unit)} against "
                f"{amount(base, unit)}."
            )


def _lagging(report: Report) -> Iterable[str]:
    scores, unit = [fold.lead for fold in report.folds if not math.isnan(fold.lead)], report.lead.score.unit
    if len(scores) < 3:  # with two, neither is the odd one
        return
    median = float(np.median(scores))
    for fold in report.folds:
        if fold.lead > LAGGING * median > 0:
            yield (
                f"Fold {fold.fold} is much worse than the others: {amount(fold.lead, unit)}, "
                f"{fold.lead / median:.1f} times the median fold's {amount(median, unit)}. Look at its history.csv and "
                "its faces before trusting the mean."
            )


def _schemes(report: Report) -> Iterable[str]:
    for one in report.rivals:
        if one.rmse_own >= one.rmse_other:
            yield (
                f"Images marked with {one.scheme} are answered no better in their own marking scheme than as "
                f"{one.other}: {amount(one.rmse_own, 'px')} against {amount(one.rmse_other, 'px')}. Try one set of "
                "outputs (model.per_scheme = false), or name the schemes in competition.toml."
            )


def _partial(report: Report) -> Iterable[str]:
    scored, images = report.metrics.images, report.about.images
    if scored < images:
        numbers = [str(fold.fold) for fold in report.folds]
        which = (
            f"fold {numbers[0]} was" if len(numbers) == 1 else f"folds {', '.join(numbers[:-1])} and {numbers[-1]} were"
        )
        yield (
            f"Only {which} run: the score covers {scored} of {images} images ({scored / images:.0%}). "
            "Run the other folds before comparing it with a full cross-validation."
        )


def _optimistic(report: Report) -> Iterable[str]:
    if report.about.keep == "best":
        yield (
            "This score is optimistic: each fold kept its best epoch, chosen by the very score shown here "
            '(train.keep = "best"). Use train.keep = "last" to compare recipes or to expect a leaderboard score.'
        )
