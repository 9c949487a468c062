"""The rows of a report's tables: folds, points and the worst faces."""

from __future__ import annotations

import numpy as np

from kptool import metrics
from kptool.geometry import Floats
from kptool.report.scored import Scored, in_frame
from kptool.report.values import Face, Fold, Point
from kptool.report.warnings import spread_ratio

WORST = 10


def folds(scored: Scored) -> tuple[Fold, ...]:
    """Each fold that was run, scored alone."""
    fold, errors, shape = scored.outcome.fold, scored.errors, scored.shape
    return tuple(
        Fold(
            fold=int(f),
            images=int((fold == f).sum()),
            values=int(np.isfinite(errors[fold == f]).sum()),
            rmse=metrics.rmse(errors[fold == f]),
            baseline=metrics.rmse(shape[fold == f]),
            lead=scored.leading(errors, fold == f),
            lead_baseline=scored.leading(shape, fold == f),
        )
        for f in np.unique(fold)
    )


def points(scored: Scored) -> tuple[Point, ...]:
    """Each point over all images, in px of the original images; the spreads are those of the model's frame."""
    outcome, errors = scored.outcome, scored.errors
    bias, away = metrics.mean_shape(errors), metrics.lengths(errors)
    predicted, truth = (in_frame(outcome.to_frame, found) for found in (outcome.predicted, outcome.truth))
    rows = []
    for k, name in enumerate(outcome.schema.points):
        own = away[:, k][~np.isnan(away[:, k])]
        mean, (median, p95) = (own.mean(), np.percentile(own, (50, 95))) if own.size else (np.nan, (np.nan, np.nan))
        rows.append(
            Point(
                name=name,
                labelled=own.size,
                missing=len(errors) - own.size,
                rmse=metrics.rmse(errors[:, k]),
                baseline=metrics.rmse(scored.shape[:, k]),
                mean=float(mean),
                median=float(median),
                p95=float(p95),
                bias_dx=float(bias[k, 0]),
                bias_dy=float(bias[k, 1]),
                spread_ratio=spread_ratio(predicted[:, [k]], truth[:, [k]]),
            )
        )
    return tuple(rows)


def worst(scored: Scored) -> tuple[tuple[Face, ...], float]:
    """The faces of the largest error by the leading metric, ties by id, and their share of all error."""
    outcome, errors = scored.outcome, scored.errors
    seen = np.isfinite(errors)
    square, labelled = np.nansum(errors**2, axis=(1, 2)), seen.all(-1).sum(1)
    mean_square = square / np.maximum(seen.sum((1, 2)), 1)
    score, share = _losses(scored, square, mean_square)
    order = np.lexsort((outcome.ids, -score))
    order = order[(labelled[order] > 0) & ~np.isnan(score[order])][:WORST]
    away = np.nan_to_num(metrics.lengths(errors), nan=-1)
    faces = tuple(
        Face(
            id=str(outcome.ids[row]),
            fold=int(outcome.fold[row]),
            scheme=outcome.schemes.names[outcome.scheme[row]],
            labelled=int(labelled[row]),
            rmse=float(np.sqrt(mean_square[row])),
            lead=scored.leading(errors, row[None]),
            worst_point=outcome.schema.points[away[row].argmax()],
            worst_distance=float(away[row].max()),
        )
        for row in order
    )
    total = np.nansum(share)
    return faces, float(np.nansum(share[order]) / total) if total > 0 else float("nan")


def _losses(scored: Scored, square: Floats, mean_square: Floats) -> tuple[Floats, Floats]:
    """(n,) what the images are ordered by, and what each adds to the whole."""
    errors, outcome = scored.errors, scored.outcome
    if outcome.metric == "nme":
        each = metrics.image_errors(metrics.lengths(errors), scored.lengths[outcome.normaliser])
        return each, each
    if outcome.metric == "mae":
        total = np.nansum(np.abs(errors), axis=(1, 2))
        return total / np.maximum(np.isfinite(errors).sum((1, 2)), 1), total
    return mean_square, square
