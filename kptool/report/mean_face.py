"""The mean face with the errors about each of its points, as the model's frame shows them."""

from __future__ import annotations

import numpy as np

from kptool import metrics
from kptool.geometry import Floats
from kptool.report.details import FacePoint, MeanFace
from kptool.report.scored import Scored, frame_errors, in_frame


def mean_face(found: Scored) -> MeanFace | None:
    """The mean place of each point that is ever labelled; None where there is none."""
    outcome, errors = found.outcome, frame_errors(found)
    places = metrics.mean_shape(in_frame(outcome.to_frame, outcome.truth))
    kept = np.flatnonzero(np.isfinite(places).all(1))
    if not kept.size:
        return None
    new = {int(k): place for place, k in enumerate(kept)}
    return MeanFace(
        size=outcome.size,
        points=tuple(_point(outcome.schema.points[k], places[k], errors[:, k]) for k in kept),
        edges=tuple((new[a], new[b]) for a, b in outcome.schema.edges if a in new and b in new),
    )


def _point(name: str, place: Floats, errors: Floats) -> FacePoint:
    """One point of `errors` (n, 2); their covariance is the sample's, of n - 1."""
    both = errors[np.isfinite(errors).all(1)]
    spread = np.cov(both.T) if len(both) > 1 else np.full((2, 2), np.nan)
    dx, dy = metrics.mean_shape(errors[:, None])[0]
    return FacePoint(
        name=name,
        x=float(place[0]),
        y=float(place[1]),
        rmse=metrics.rmse(errors),
        xx=float(spread[0, 0]),
        xy=float(spread[0, 1]),
        yy=float(spread[1, 1]),
        dx=float(dx),
        dy=float(dy),
    )
