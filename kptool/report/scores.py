"""The figures of a report beyond its RMSE: each with its name, unit, normaliser, threshold and pooling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from kptool import metrics
from kptool.geometry import Floats
from kptool.metrics import KINDS, Kind
from kptool.report.scored import Scored

Measure = Callable[[Floats, Floats], float]  # of distances (n, K) and normalisers (n,), both in px
THRESHOLDS: Final = (0.05, 0.08, 0.10)
CED_STEPS: Final = 101  # the curve of the JSON, from 0 to the largest threshold


@dataclass(frozen=True)
class Score:
    """One figure over all images predicted, and the mean shape's beside it.

    Attributes:
        mean_shape: the same figure of the mean shape of the other folds, over the same labels.
        unit: "px", "%", or "1" for a plain number.
        normaliser: what errors were divided by; None where they are in px.
        threshold: the largest error that still counts, as a fraction of the normaliser; None where there is none.
        images: how many it was taken over.
        left_out: how many more were predicted, but have no normaliser or no label.
    """

    name: str
    value: float
    mean_shape: float
    unit: str
    normaliser: str | None
    threshold: float | None
    pooling: str
    images: int
    left_out: int


@dataclass(frozen=True)
class Lead:
    """The competition's own metric.

    Attributes:
        kind: the competition's normaliser, whether or not the metric divides by it.
        fold_mean, fold_std: of the folds' own figures; the sample standard deviation, of n - 1.
        low, high: 95 % interval of the score, groups of images drawn again; NaN where too few groups tell.
    """

    score: Score
    kind: str
    fold_mean: float
    fold_std: float
    low: float = float("nan")
    high: float = float("nan")


@dataclass(frozen=True)
class Curve:
    """The cumulative error distribution: which share of the images (0 to 1) has an error of at most so much."""

    errors: tuple[float, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Normalised:
    """Errors over one length of each face.

    Attributes:
        kind: "inter-ocular", "inter-pupil", "box" or "diagonal".
        normaliser: its full name, which says whose box it is.
        between: the points whose distance it is; empty for a box.
        length: its mean over the images, px of the original image.
    """

    kind: str
    normaliser: str
    between: tuple[tuple[str, ...], ...]
    length: float
    images: int
    left_out: int
    nme_macro: Score
    nme_micro: Score
    auc: tuple[Score, ...]
    failure_rate: tuple[Score, ...]
    pck: tuple[Score, ...]
    ced: Curve


def lead(scored: Scored, folds: Sequence[float]) -> Lead:
    """The leading score; `folds` are its figures for each fold that has labels."""
    outcome, figures = scored.outcome, np.array(folds)
    if outcome.metric == "nme":
        score = _normalised(scored, outcome.normaliser).nme_macro
    else:
        score = next(one for one in in_px(scored) if one.name == outcome.metric.upper())
    known = figures[~np.isnan(figures)]
    mean = float(known.mean()) if known.size else float("nan")
    return Lead(score, outcome.normaliser, mean, float(known.std(ddof=1)) if known.size > 1 else float("nan"))


def in_px(scored: Scored) -> tuple[Score, ...]:
    """RMSE and MAE over coordinates, in px of the original images."""
    left_out = int((~np.isfinite(scored.errors).any((1, 2))).sum())
    pooling, images = "all labelled coordinates, out of fold", len(scored.errors) - left_out
    return tuple(
        Score(name, of(scored.errors), of(scored.shape), "px", None, None, pooling, images, left_out)
        for name, of in (("RMSE", metrics.rmse), ("MAE", metrics.mae))
    )


def normalised(scored: Scored) -> tuple[Normalised, ...]:
    """One for each length that can be told of any image.

    Where the competition names no eyes, no box and no NME, nobody asked for these, and there are none: the hull of the
    labels alone is a measure to fall back on.
    """
    outcome = scored.outcome
    asked = outcome.metric == "nme" or outcome.schema.scale_pair or outcome.schema.pupils or outcome.boxes is not None
    each = [_normalised(scored, kind) for kind in KINDS] if asked else []
    return tuple(one for one in each if one.images)


def _normalised(scored: Scored, kind: Kind) -> Normalised:
    own = metrics.image_errors(metrics.lengths(scored.errors), scored.lengths[kind])
    told = np.isfinite(own)
    return Normalised(
        kind=kind,
        normaliser=scored.names[kind],
        between=_between(kind, scored),
        length=float(scored.lengths[kind][told].mean()) if told.any() else float("nan"),
        images=int(told.sum()),
        left_out=int((~told).sum()),
        nme_macro=_score(scored, kind, "NME", "%", "mean over images", metrics.nme_macro),
        nme_micro=_score(scored, kind, "NME", "%", "mean over points", metrics.nme_micro),
        auc=tuple(_score(scored, kind, "AUC", "1", "over images", _auc(t), t) for t in THRESHOLDS),
        failure_rate=tuple(_score(scored, kind, "FR", "%", "over images", _failures(t), t) for t in THRESHOLDS),
        pck=tuple(_score(scored, kind, "PCK", "%", "over points", _correct(t), t) for t in THRESHOLDS),
        ced=_curve(own),
    )


def _score(
    scored: Scored, kind: Kind, name: str, unit: str, pooling: str, of: Measure, threshold: float | None = None
) -> Score:
    lengths, times = scored.lengths[kind], 100 if unit == "%" else 1
    aways = metrics.lengths(scored.errors), metrics.lengths(scored.shape)
    value, mean_shape = (times * of(away, lengths) for away in aways)
    told = np.isfinite(metrics.image_errors(aways[0], lengths))
    images, left_out = int(told.sum()), int((~told).sum())
    full = scored.names[kind]
    return Score(name, value, mean_shape, unit, full, threshold, f"{pooling}, out of fold", images, left_out)


def _auc(threshold: float) -> Measure:
    return lambda away, lengths: metrics.auc(metrics.image_errors(away, lengths), threshold)


def _failures(threshold: float) -> Measure:
    return lambda away, lengths: metrics.failure_rate(metrics.image_errors(away, lengths), threshold)


def _correct(threshold: float) -> Measure:
    return lambda away, lengths: metrics.pck(away, lengths, threshold)


def _between(kind: Kind, scored: Scored) -> tuple[tuple[str, ...], ...]:
    schema = scored.outcome.schema
    if kind == "inter-ocular" and schema.scale_pair:
        return tuple((schema.points[point],) for point in schema.scale_pair)
    if kind == "inter-pupil" and schema.pupils:
        return tuple(tuple(schema.points[point] for point in eye) for eye in schema.pupils)
    return ()


def _curve(errors: Floats) -> Curve:
    steps = np.linspace(0, THRESHOLDS[-1], CED_STEPS)
    shares = [1 - metrics.failure_rate(errors, float(step)) for step in steps]
    return Curve(tuple(float(v) for v in steps), tuple(shares))
