"""From what a cross-validation hands over to the numbers of its report. Nothing here draws anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from kptool import metrics
from kptool.dataset import Mask
from kptool.geometry import Floats
from kptool.report.bootstrap import intervals
from kptool.report.calibrated import calibration
from kptool.report.ced import ced
from kptool.report.curves import curves, rates
from kptool.report.gains import gains
from kptool.report.groups import clusters, group_scores, kinds
from kptool.report.mean_face import mean_face
from kptool.report.outcome import Outcome
from kptool.report.remedies import remedies
from kptool.report.rows import best, folds, points, worst
from kptool.report.scored import Scored, in_frame, scored
from kptool.report.scores import in_px, lead, normalised
from kptool.report.sums import sums
from kptool.report.values import About, Baseline, Edited, Fold, Metrics, Part, Report
from kptool.report.warnings import spread_ratio, warn


def build(outcome: Outcome, details: bool = True) -> Report:
    """Score the images that were predicted.

    Args:
        details: whether to look for reasons too: intervals, calibrated radii, curves, kinds of faces, remedies.

    Raises:
        DataError: no fold was run, nothing is labelled, a labelled point has no finite prediction, or a face whose
            errors the leading metric must divide by a length of 0.
    """
    found = scored(outcome)
    each = folds(found)
    faces, share = worst(found)
    report = Report(
        about=_about(outcome),
        lead=lead(found, [fold.lead for fold in each if fold.values]),
        scores=in_px(found),
        normalised=normalised(found),
        metrics=_metrics(found, each),
        baseline=_baseline(found),
        points=points(found),
        folds=each,
        worst=faces,
        worst_share=share,
        label_shift=_label_shift(found.outcome),
        scheme_gains=gains(found.outcome),
        warnings=(),
        edited=_edited(found, outcome),
    )
    report = replace(report, warnings=warn(report))
    return _detailed(report, found) if details else report


def _detailed(report: Report, found: Scored) -> Report:
    outcome, added = found.outcome, sums(found)
    parts = kinds(found, added)
    everyone: Mask = np.ones(len(outcome.ids), dtype=np.bool_)
    (low, high), *spans = intervals(added, clusters(outcome), [everyone, *(kind.rows for kind in parts)])
    detailed = replace(
        report,
        lead=replace(report.lead, low=low, high=high),
        best=best(found),
        calibration=calibration(found),
        curves=curves(outcome),
        rates=rates(outcome),
        groups=group_scores(found, parts, spans),
        mean_face=mean_face(found),
        ced=ced(found),
    )
    return replace(detailed, remedies=remedies(detailed, found))


def _about(outcome: Outcome) -> About:
    width, height = outcome.sizes.T
    order = np.lexsort((width, width * height))
    small, large = ((int(width[row]), int(height[row])) for row in order[[0, -1]])
    return About(
        title=outcome.title,
        run=outcome.run,
        recipe=outcome.recipe_name,
        recipe_digest=outcome.recipe_digest,
        data_digest=outcome.data_digest,
        images=len(outcome.ids),
        groups=None if outcome.group is None else len(np.unique(outcome.group)),
        size=outcome.size,
        sizes=(small, large),
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


def _edited(found: Scored, outcome: Outcome) -> Edited | None:
    if outcome.edited is None:
        return None
    given, labels = found.outcome.truth, outcome.edited.labels[outcome.fold >= 0]
    errors, before, after = metrics.residuals(found.outcome.predicted, labels), np.isfinite(given), np.isfinite(labels)
    return Edited(
        value=found.leading(errors),
        edits=outcome.edited.edits,
        left_out=int((before & ~after).sum()),
        moved=int((before & after & (given != labels)).sum()),
        added=int((~before & after).sum()),
    )


def _part(found: Scored, errors: Floats, rows: Mask) -> Part:
    own = errors[rows]
    return Part(metrics.rmse(own), found.leading(errors, rows), len(own), int(np.isfinite(own).sum()))


def _parts(found: Scored, errors: Floats) -> dict[str, Part]:
    scheme, names = found.outcome.scheme, found.outcome.schemes.names
    return {name: _part(found, errors, np.asarray(scheme == s)) for s, name in enumerate(names)}


def _complete(found: Scored, errors: Floats) -> Part:
    return _part(found, errors, np.asarray(np.isfinite(errors).all((1, 2))))


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


def _metrics(found: Scored, each: tuple[Fold, ...]) -> Metrics:
    outcome, errors = found.outcome, found.errors
    parts, scores = _parts(found, errors), np.array([fold.rmse for fold in each if fold.values])
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
        complete=_complete(found, errors),
        spread_ratio=spread_ratio(*(in_frame(outcome.to_frame, at) for at in (outcome.predicted, outcome.truth))),
    )


def _baseline(found: Scored) -> Baseline:
    shape = found.shape
    parts = _parts(found, shape)
    mix = _mix(parts, found.outcome.test_mix)
    return Baseline("mean shape of the other folds", metrics.rmse(shape), mix, parts, _complete(found, shape))
