"""The radii that hold 90 % of the labels, and how often they held on folds that did not help to make them."""

from __future__ import annotations

import numpy as np

from kptool import metrics
from kptool.calibration import LEVEL, held, promised, radii
from kptool.geometry import Affine, Floats
from kptool.report.details import Calibration, Coverage, Radius
from kptool.report.scored import Scored, frame_errors


def calibration(found: Scored) -> Calibration | None:
    """Calibrate the errors, as px of the frame that the model is shown; None where no point has labels enough.

    Photos of different sizes share one radius in the frame; in a photo it is that over the photo's own scale.
    """
    outcome = found.outcome
    away, schemes = metrics.lengths(frame_errors(found)), len(outcome.schemes)
    frame = radii(away, outcome.scheme, schemes)
    if np.isnan(frame).all():
        return None
    inside = held(away, outcome.scheme, schemes, outcome.fold)
    own, own_px = _own(found)
    return Calibration(
        level=LEVEL,
        radii=_radii(found, frame, float(np.median(scales(outcome.to_frame)))),
        overall=_coverage("all", inside),
        folds=tuple(_coverage(f"fold {f}", inside[outcome.fold == f]) for f in np.unique(outcome.fold)),
        schemes=tuple(_coverage(name, inside[outcome.scheme == s]) for s, name in enumerate(outcome.schemes.names)),
        own=own,
        own_px=own_px,
    )


def scales(to_frame: Affine) -> Floats:
    """(N,) px of the frame per px of the original image; of a crop that is stretched, the geometric mean of both."""
    return np.asarray(np.sqrt(np.abs(np.linalg.det(to_frame.matrix[:, :2, :2]))))


def _radii(found: Scored, frame: Floats, scale: float) -> tuple[Radius, ...]:
    names = found.outcome.schemes.names
    return tuple(
        Radius(
            point=point,
            frame=float(frame[-1, k]),
            px=float(frame[-1, k] / scale),
            by_scheme={name: float(frame[s, k] / scale) for s, name in enumerate(names)},
        )
        for k, point in enumerate(found.outcome.schema.points)
    )


def _coverage(name: str, inside: Floats) -> Coverage:
    told = inside[~np.isnan(inside)]
    return Coverage(name, told.size, float(told.mean()) if told.size else float("nan"))


def _own(found: Scored) -> tuple[float, float]:
    """Share of labels within the radius that the model's own spread promises, and that radius at its median, px."""
    away, limit = metrics.lengths(found.errors), promised(found.outcome.spread)
    told = np.isfinite(away) & np.isfinite(limit)
    if not told.any():
        return float("nan"), float("nan")
    return float((away[told] <= limit[told]).mean()), float(np.median(limit[told]))
