"""The rows of a report's tables: folds, points, the worst faces and the best."""

from __future__ import annotations

import numpy as np

from kptool import metrics
from kptool.dataset import Ints
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
    score, share = _losses(scored)
    order = _order(scored, -score)[:WORST]
    total = np.nansum(share)
    return _faces(scored, order), float(np.nansum(share[order]) / total) if total > 0 else float("nan")


def best(scored: Scored) -> tuple[Face, ...]:
    """The faces of the smallest error, ties by id: of those with half of all points labelled, where they suffice.

    A face with a single label is easily right, and shows nothing.
    """
    order = _order(scored, _losses(scored)[0])
    full = order[_labelled(scored)[order] * 2 >= len(scored.outcome.schema.points)]
    return _faces(scored, (full if len(full) >= WORST else order)[:WORST])


def _labelled(scored: Scored) -> Ints:
    """(n,) points that each image has whole labels of."""
    return np.asarray(np.isfinite(scored.errors).all(-1).sum(1))


def _order(scored: Scored, score: Floats) -> Ints:
    """The rows that have a label and a score, in ascending order of it."""
    order = np.lexsort((scored.outcome.ids, score))
    return np.asarray(order[(_labelled(scored)[order] > 0) & ~np.isnan(score[order])])


def _faces(scored: Scored, order: Ints) -> tuple[Face, ...]:
    outcome, labelled = scored.outcome, _labelled(scored)
    away = np.nan_to_num(metrics.lengths(scored.errors), nan=-1)
    return tuple(
        Face(
            id=str(outcome.ids[row]),
            fold=int(outcome.fold[row]),
            scheme=outcome.schemes.names[outcome.scheme[row]],
            labelled=int(labelled[row]),
            rmse=metrics.rmse(scored.errors[row]),
            lead=scored.leading(scored.errors, row[None]),
            worst_point=outcome.schema.points[away[row].argmax()],
            worst_distance=float(away[row].max()),
        )
        for row in order
    )


def _losses(scored: Scored) -> tuple[Floats, Floats]:
    """(n,) what the images are ordered by, and what each adds to the whole."""
    errors, outcome = scored.errors, scored.outcome
    if outcome.metric == "nme":
        each = metrics.image_errors(metrics.lengths(errors), scored.lengths[outcome.normaliser])
        return each, each
    total = np.nansum(errors**2 if outcome.metric == "rmse" else np.abs(errors), axis=(1, 2))
    return total / np.maximum(np.isfinite(errors).sum((1, 2)), 1), total
