"""The images that were predicted, and how far the model and the mean shape are off them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kptool import metrics
from kptool.dataset import Ints, Mask
from kptool.errors import DataError
from kptool.geometry import Affine, Floats
from kptool.metrics import KINDS, Kind
from kptool.report.outcome import Outcome


@dataclass(frozen=True)
class Scored:
    """What every figure of a report is taken from, one row for each image predicted.

    Attributes:
        outcome: of those images only.
        errors: (n, K, 2) predicted minus labelled, original px, NaN where not labelled.
        shape: (n, K, 2) the same of the mean shape of the other folds.
        lengths: (n,) by kind, what the errors of an image are divided by, in px; NaN where it cannot be told.
        names: how each of these lengths is called in full.
    """

    outcome: Outcome
    errors: Floats
    shape: Floats
    lengths: dict[Kind, Floats]
    names: dict[Kind, str]

    def leading(self, errors: Floats, rows: Mask | Ints | slice = slice(None)) -> float:
        """The competition's metric over some rows of `errors` or `shape`: RMSE or MAE in px, or the macro NME in %."""
        if self.outcome.metric == "nme":
            away, lengths = metrics.lengths(errors[rows]), self.lengths[self.outcome.normaliser][rows]
            return 100 * metrics.nme_macro(away, lengths)
        return (metrics.rmse if self.outcome.metric == "rmse" else metrics.mae)(errors[rows])


def scored(outcome: Outcome) -> Scored:
    """Hold the predictions and the mean shape against the labels.

    Raises:
        DataError: no fold was run, nothing is labelled, a labelled point has no finite prediction, or a face whose
            errors the leading metric must divide by a length of 0.
    """
    ran = outcome.fold >= 0
    rows = _take(outcome, ran)
    # Rows of folds that were not run are still training data, so the mean shape has them too.
    shape = (_mean_shape(outcome) - outcome.truth)[ran]
    lengths = {kind: _lengths(kind, outcome)[ran] for kind in KINDS}
    names = {kind: metrics.normaliser_name(kind, outcome.boxes) for kind in KINDS}
    return Scored(rows, _errors(rows), shape, lengths, names)


def in_frame(to_frame: Affine, points: Floats) -> Floats:
    """Points (N, K, 2) through N maps; a coordinate that the map does not ask for may be NaN.

    An image can have a label's x without its y. A crop moves each by itself, where a plain matrix product would make
    both NaN; and the identity returns every number as it was.
    """
    x, y = points[..., 0], points[..., 1]
    rows = []
    for axis in (0, 1):
        factors, offset = to_frame.matrix[:, axis, :2], to_frame.matrix[:, axis, 2]
        terms = [
            np.where(factor == 0, 0, factor * value) for factor, value in zip(factors.T[..., None], (x, y), strict=True)
        ]
        rows.append(terms[0] + terms[1] + offset[:, None])
    return np.stack(rows, axis=-1)


def frame_errors(found: Scored) -> Floats:
    """(n, K, 2) predicted minus labelled in px of the frame that the model is shown; NaN where not labelled."""
    predicted, truth = (in_frame(found.outcome.to_frame, at) for at in (found.outcome.predicted, found.outcome.truth))
    return np.where(np.isfinite(truth), predicted, np.nan) - truth


def _mean_shape(outcome: Outcome) -> Floats:
    # Where a face stands in its photo is not what a model finds: the box tells it. So the mean is taken in the frame.
    answers = metrics.mean_shape_baseline(in_frame(outcome.to_frame, outcome.truth), outcome.fold)
    return in_frame(outcome.to_frame.inverse(), answers)


def _lengths(kind: Kind, outcome: Outcome) -> Floats:
    if outcome.metric == "nme" and kind == outcome.normaliser:
        return metrics.normaliser(kind, outcome.truth, outcome.schema, outcome.boxes, [str(v) for v in outcome.ids])
    # A bad label must not cost the report for a figure beside the score: such an image is left out, and counted.
    lengths = metrics.measured(kind, outcome.truth, outcome.schema, outcome.boxes)
    return np.where(lengths > 0, lengths, np.nan)


def _take(outcome: Outcome, rows: Mask) -> Outcome:
    if not rows.any():
        raise DataError(f"run {outcome.run}: no fold has been predicted", "train at least one with kptool cv")
    if not np.isfinite(outcome.truth[rows]).any():
        raise DataError(f"run {outcome.run}: no label in the folds that were run", "run a fold that has labels")
    names = ("ids", "truth", "predicted", "spread", "fold", "scheme", "to_frame", "sizes")
    group = None if outcome.group is None else outcome.group[rows]
    boxes = None if outcome.boxes is None else outcome.boxes[rows]
    contrast = None if outcome.contrast is None else outcome.contrast[rows]
    return replace(
        outcome,
        group=group,
        boxes=boxes,
        contrast=contrast,
        edited=None,
        **{name: getattr(outcome, name)[rows] for name in names},
    )


def _errors(outcome: Outcome) -> Floats:
    lost = np.isfinite(outcome.truth) & ~np.isfinite(outcome.predicted)
    if lost.any():  # said here as well as in metrics, because here the image and the point have names
        row, point, _ = np.argwhere(lost)[0]
        raise DataError(
            f"run {outcome.run}: image {outcome.ids[row]!s} has a label but no prediction for "
            f"{outcome.schema.points[point]} ({int(lost.any((1, 2)).sum())} such images)",
            f"predict fold {outcome.fold[row]} again",
        )
    return metrics.residuals(outcome.predicted, outcome.truth)
