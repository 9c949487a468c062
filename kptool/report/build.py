"""From what a cross-validation hands over to the numbers of its report. Nothing here draws anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from kptool import metrics
from kptool.dataset import Ints, Mask
from kptool.errors import DataError
from kptool.geometry import Floats
from kptool.report.outcome import Outcome
from kptool.report.values import About, Baseline, Face, Fold, Metrics, Part, Point, Report
from kptool.report.warnings import spread_ratio, warn

WORST = 10


def build(outcome: Outcome) -> Report:
    """Score the images that were predicted.

    Raises:
        DataError: no fold was run, nothing is labelled, or a labelled point has no finite prediction.
    """
    everything, ran = outcome, outcome.fold >= 0
    outcome = _take(everything, ran)
    errors = _errors(outcome)
    # Rows of folds that were not run are still training data, so the mean shape has them too.
    baseline = (metrics.mean_shape_baseline(everything.truth, everything.fold) - everything.truth)[ran]
    folds = _folds(outcome.fold, errors, baseline)
    worst, worst_share = _worst(outcome, errors)
    report = Report(
        about=_about(everything),
        metrics=_metrics(outcome, errors, folds),
        baseline=_baseline(outcome, baseline),
        points=_points(outcome, errors, baseline),
        folds=folds,
        worst=worst,
        worst_share=worst_share,
        label_shift=_label_shift(outcome),
        warnings=(),
    )
    return replace(report, warnings=warn(report))


def _about(outcome: Outcome) -> About:
    return About(
        title=outcome.title,
        run=outcome.run,
        recipe=outcome.recipe_name,
        recipe_digest=outcome.recipe_digest,
        data_digest=outcome.data_digest,
        images=len(outcome.ids),
        groups=None if outcome.group is None else len(np.unique(outcome.group)),
        size=outcome.size,
        views=outcome.views,
        keep=outcome.keep,
        device=outcome.device,
        precision=outcome.precision,
        seconds=outcome.seconds,
        images_per_second=outcome.images_per_second,
    )


def _label_shift(outcome: Outcome) -> dict[str, float]:
    shifts, names = outcome.label_shift or [], outcome.schemes.names
    each = shifts if len(shifts) == len(names) else shifts * len(names)
    return dict(zip(names, each, strict=bool(each)))


def _take(outcome: Outcome, rows: Mask) -> Outcome:
    if not rows.any():
        raise DataError(f"run {outcome.run}: no fold has been predicted", "train at least one with kptool cv")
    if not np.isfinite(outcome.truth[rows]).any():
        raise DataError(f"run {outcome.run}: no label in the folds that were run", "run a fold that has labels")
    names = ("ids", "truth", "predicted", "spread", "fold", "scheme")
    group = None if outcome.group is None else outcome.group[rows]
    return replace(outcome, group=group, **{name: getattr(outcome, name)[rows] for name in names})


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


def _part(errors: Floats) -> Part:
    return Part(metrics.rmse(errors), len(errors), int(np.isfinite(errors).sum()))


def _parts(errors: Floats, outcome: Outcome) -> dict[str, Part]:
    return {name: _part(errors[outcome.scheme == s]) for s, name in enumerate(outcome.schemes.names)}


def _complete(errors: Floats) -> Part:
    return _part(errors[np.isfinite(errors).all((1, 2))])


def _mix(parts: Mapping[str, Part], shares: list[float] | None) -> float:
    if shares is None or not sum(shares) > 0:
        return float("nan")
    return metrics.rmse_mix([part.rmse**2 for part in parts.values()], shares)


def _mix_reason(parts: Mapping[str, Part], shares: list[float] | None) -> str | None:
    if shares is None:
        return "no lookup table was read"
    if not sum(shares) > 0:
        return "the lookup table asks for nothing"
    unscored = [
        name for (name, part), share in zip(parts.items(), shares, strict=True) if share > 0 and not part.values
    ]
    return f"no image of scheme {unscored[0]} was scored" if unscored else None


def _metrics(outcome: Outcome, errors: Floats, folds: tuple[Fold, ...]) -> Metrics:
    parts, scores = _parts(errors, outcome), np.array([fold.rmse for fold in folds if fold.values])
    shares = outcome.test_mix
    return Metrics(
        name="RMSE",
        unit="px",
        normaliser=None,
        threshold=None,
        pooling="all labelled coordinates, out of fold",
        rmse=metrics.rmse(errors),
        mae=metrics.mae(errors),
        images=len(errors),
        values=int(np.isfinite(errors).sum()),
        rmse_fold_mean=float(scores.mean()),
        rmse_fold_std=float(scores.std(ddof=1)) if len(scores) > 1 else float("nan"),
        rmse_test_mix=_mix(parts, shares),
        rmse_test_mix_reason=_mix_reason(parts, shares),
        test_mix=None if shares is None else dict(zip(outcome.schemes.names, map(float, shares), strict=True)),
        by_scheme=parts,
        complete=_complete(errors),
        spread_ratio=spread_ratio(outcome.predicted, outcome.truth),
    )


def _baseline(outcome: Outcome, errors: Floats) -> Baseline:
    parts = _parts(errors, outcome)
    mix = _mix(parts, outcome.test_mix)
    return Baseline("mean shape of the other folds", metrics.rmse(errors), mix, parts, _complete(errors))


def _folds(fold: Ints, errors: Floats, baseline: Floats) -> tuple[Fold, ...]:
    return tuple(
        Fold(
            fold=int(f),
            images=int((fold == f).sum()),
            values=int(np.isfinite(errors[fold == f]).sum()),
            rmse=metrics.rmse(errors[fold == f]),
            baseline=metrics.rmse(baseline[fold == f]),
        )
        for f in np.unique(fold)
    )


def _points(outcome: Outcome, errors: Floats, baseline: Floats) -> tuple[Point, ...]:
    bias, away = metrics.mean_shape(errors), metrics.lengths(errors)
    points = []
    for k, name in enumerate(outcome.schema.points):
        own = away[:, k][~np.isnan(away[:, k])]
        mean, (median, p95) = (own.mean(), np.percentile(own, (50, 95))) if own.size else (np.nan, (np.nan, np.nan))
        points.append(
            Point(
                name=name,
                labelled=own.size,
                missing=len(errors) - own.size,
                rmse=metrics.rmse(errors[:, k]),
                baseline=metrics.rmse(baseline[:, k]),
                mean=float(mean),
                median=float(median),
                p95=float(p95),
                bias_dx=float(bias[k, 0]),
                bias_dy=float(bias[k, 1]),
                spread_ratio=spread_ratio(outcome.predicted[:, [k]], outcome.truth[:, [k]]),
            )
        )
    return tuple(points)


def _worst(outcome: Outcome, errors: Floats) -> tuple[tuple[Face, ...], float]:
    """The faces of the largest RMSE, ties by id, and their share of all squared error."""
    square, labelled = np.nansum(errors**2, axis=(1, 2)), np.isfinite(errors).all(-1).sum(1)
    score = square / np.maximum(np.isfinite(errors).sum((1, 2)), 1)
    order = np.lexsort((outcome.ids, -score))
    order = order[labelled[order] > 0][:WORST]
    away = np.nan_to_num(metrics.lengths(errors), nan=-1)
    faces = tuple(
        Face(
            id=str(outcome.ids[row]),
            fold=int(outcome.fold[row]),
            scheme=outcome.schemes.names[outcome.scheme[row]],
            labelled=int(labelled[row]),
            rmse=float(np.sqrt(score[row])),
            worst_point=outcome.schema.points[away[row].argmax()],
            worst_distance=float(away[row].max()),
        )
        for row in order
    )
    return faces, float(square[order].sum() / square.sum()) if square.sum() > 0 else float("nan")
