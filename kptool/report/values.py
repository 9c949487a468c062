"""The error report as data: frozen values, and the JSON that is made of them.

Every length is in px of the original image. A figure that does not exist (the spread of folds when one was run) is NaN
here, null in the JSON and a dash in the terminal. Sections that come later get a field of their own in `Report`.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from kptool.report.details import Calibration, Ced, FoldCurve, GroupScore, MeanFace, Rates, Remedy
from kptool.report.scores import Lead, Normalised, Score


@dataclass(frozen=True)
class About:
    """Where the numbers come from.

    Attributes:
        images: how many the data has, predicted or not.
        groups: how many of them must not be split over folds (duplicates together count once), or None.
        size: (W, H) of the frames that the model is shown, in px.
        sizes: (W, H) of the smallest and of the largest original image, in px.
        seconds: wall time of the training, or None.
    """

    title: str
    run: str
    recipe: str
    recipe_digest: str
    data_digest: str
    images: int
    groups: int | None
    size: tuple[int, int]
    sizes: tuple[tuple[int, int], tuple[int, int]]
    views: str
    keep: str
    device: str
    precision: str
    seconds: float | None
    images_per_second: float | None


@dataclass(frozen=True)
class Part:
    """The RMSE of some of the images: pooled over their `values` labelled coordinates.

    `lead` is the competition's metric of the same images, in the unit of `Report.lead`.
    """

    rmse: float
    lead: float
    images: int
    values: int


@dataclass(frozen=True)
class Baseline:
    """The score of answering every image with the mean shape of the other folds, over the same labels."""

    name: str
    rmse: float
    rmse_test_mix: float
    by_scheme: dict[str, Part]
    complete: Part


@dataclass(frozen=True)
class Metrics:
    """The score, and what a score must carry: name, unit, normaliser, threshold, pooling.

    Attributes:
        rmse: pooled over all labelled coordinates of the images predicted.
        mae: mean absolute error over the same coordinates.
        rmse_test_mix: the RMSE to expect where the schemes make up `test_mix` of the coordinates.
        rmse_test_mix_reason: in words, why it is not known; None where it is.
        rmse_fold_mean, rmse_fold_std: of the folds' own RMSEs; the sample standard deviation, of n - 1.
        complete: the images with every point labelled, which is all that many published scores are taken over.
        spread_ratio: spread of the predictions over that of the labels, both in the frame that the model is shown;
            near 0 = one answer for all.
    """

    name: str
    unit: str
    normaliser: str | None
    threshold: float | None
    pooling: str
    rmse: float
    mae: float
    images: int
    values: int
    rmse_fold_mean: float
    rmse_fold_std: float
    rmse_test_mix: float
    rmse_test_mix_reason: str | None
    test_mix: dict[str, float] | None
    by_scheme: dict[str, Part]
    complete: Part
    spread_ratio: float


@dataclass(frozen=True)
class Point:
    """One point over all images: `rmse` per coordinate; mean, median, p95 of the distance; bias = predicted - label.

    Positive bias is right (dx) and down (dy).
    """

    name: str
    labelled: int
    missing: int
    rmse: float
    baseline: float
    mean: float
    median: float
    p95: float
    bias_dx: float
    bias_dy: float
    spread_ratio: float


@dataclass(frozen=True)
class Fold:
    """One held-out fold, scored alone: RMSE in px and, in the unit of `Report.lead`, the competition's metric."""

    fold: int
    images: int
    values: int
    rmse: float
    baseline: float
    lead: float
    lead_baseline: float


@dataclass(frozen=True)
class SchemeGain:
    """The images marked with one scheme, answered in it and in another: one model, plain view, out of fold.

    Attributes:
        points: how many both schemes mark; only these count.
        values: their labelled coordinates in the images of `scheme`.
        rmse_own, rmse_other: px, answered in `scheme` and in `other`.
    """

    scheme: str
    other: str
    points: int
    values: int
    rmse_own: float
    rmse_other: float


@dataclass(frozen=True)
class Face:
    """One image that went wrong, and the point that went furthest; `lead` is in the unit of `Report.lead`."""

    id: str
    fold: int
    scheme: str
    labelled: int
    rmse: float
    lead: float
    worst_point: str
    worst_distance: float


@dataclass(frozen=True)
class Edited:
    """The leading metric over the labels that were trained on, where the recipe edits some.

    Errors are divided by the same lengths as in the score on labels as given, so that only the labels differ.

    Attributes:
        value: in the unit of `Report.lead`; NaN where no label is left.
        edits: how many there are of each action that occurs.
        left_out, moved, added: labelled coordinates of the images predicted that edits took away, put elsewhere, or
            gave where there was none.
    """

    value: float
    edits: dict[str, int]
    left_out: int
    moved: int
    added: int


@dataclass(frozen=True)
class Report:
    """The whole report.

    Attributes:
        lead: the competition's own metric.
        scores: RMSE and MAE in px.
        normalised: what the errors are as fractions of each length that can be told.
        worst: the images of the largest error by the leading metric.
        worst_share: the fraction that they make of all squared error where the RMSE leads, of all absolute error
            where the MAE does, and of the sum of all images' errors where the NME does.
        label_shift: px per scheme that the labels sit to the right of the pixels they mean; empty where not known.
        scheme_gains: each scheme against every other, its closest rival first; empty where there is one set of outputs
            or it was not measured.
        edited: the score on edited labels; None where the recipe edits none.
        best: the images of the smallest error, as `worst`.
        calibration: radii that hold 90 % of the labels; None where too few labels tell.
        curves, rates: of the training; empty and None for an ensemble.
        groups: kinds of faces, the worst kind of each grouping marked by its own figures.
        mean_face: None where no point's place is known.
        ced: cumulative error distribution over the competition's own normaliser, or in px.
        remedies: what went wrong in training and what to try, the gravest first.
    """

    about: About
    lead: Lead
    scores: tuple[Score, ...]
    normalised: tuple[Normalised, ...]
    metrics: Metrics
    baseline: Baseline
    points: tuple[Point, ...]
    folds: tuple[Fold, ...]
    worst: tuple[Face, ...]
    worst_share: float
    label_shift: dict[str, float]
    scheme_gains: tuple[SchemeGain, ...]
    warnings: tuple[str, ...]
    edited: Edited | None = None
    best: tuple[Face, ...] = ()
    calibration: Calibration | None = None
    curves: tuple[FoldCurve, ...] = ()
    rates: Rates | None = None
    groups: tuple[GroupScore, ...] = ()
    mean_face: MeanFace | None = None
    ced: Ced | None = None
    remedies: tuple[Remedy, ...] = ()

    @property
    def own(self) -> Normalised | None:
        """The errors over the competition's own normaliser, where any image tells it."""
        return next((one for one in self.normalised if one.kind == self.lead.kind), None)

    @property
    def rivals(self) -> tuple[SchemeGain, ...]:
        """Of each scheme's images, the other scheme that answers them best."""
        first = {one.scheme: one for one in reversed(self.scheme_gains)}
        return tuple(one for one in self.scheme_gains if first[one.scheme] is one)


def to_json(report: Report) -> dict[str, Any]:
    """The report as a table of plain values that ``json.dumps(allow_nan=False)`` takes; NaN becomes null."""
    table = plain(report)
    assert isinstance(table, dict)
    return {"format": 1, **table}


def plain(value: object) -> object:
    """A report's value, or any part of one, as dicts, lists, text and numbers; NaN becomes None."""
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [plain(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value
