"""The cumulative error distribution: of how many images the answer is so good, or better."""

from __future__ import annotations

from typing import Final

import numpy as np

from kptool import metrics
from kptool.geometry import Floats
from kptool.report.details import Ced
from kptool.report.scored import Scored

STEPS: Final = 101
ENDS: Final = (99, 50)
"""Percentiles of the model's errors and of the mean shape's: the curve ends at the larger of the two. The mean shape's
own tail is so long that a good model's whole curve would stand in its first steps."""
MOST: Final = 0.5  # of the images must tell the normaliser; else the curve is in px


def ced(found: Scored) -> Ced | None:
    """The curve over the competition's own normaliser in %, or in px where most images cannot tell that.

    The error of an image is the mean distance of its labelled points. None where no image has a whole point labelled.
    """
    kind, away = found.outcome.normaliser, metrics.lengths(found.errors)
    unit, lengths = "%", found.lengths[kind]
    normaliser: str | None = found.names[kind]
    told = np.isfinite(metrics.image_errors(away, lengths))
    if found.outcome.metric != "nme" and told.sum() < MOST * np.isfinite(away).any(1).sum():
        unit, normaliser, lengths = "px", None, np.ones(len(away))
    own, shape = (_known(metrics.lengths(errors), lengths, unit) for errors in (found.errors, found.shape))
    if not own.size:
        return None
    end = max(float(np.percentile(errors, at)) for errors, at in zip((own, shape), ENDS, strict=True)) or 1.0
    steps = np.linspace(0, end, STEPS)
    return Ced(
        unit=unit,
        normaliser=normaliser,
        steps=tuple(float(v) for v in steps),
        shares=_shares(own, steps),
        mean_shape=_shares(shape, steps),
        images=own.size,
    )


def _known(away: Floats, lengths: Floats, unit: str) -> Floats:
    each = (100 if unit == "%" else 1) * metrics.image_errors(away, lengths)
    return np.sort(each[~np.isnan(each)])


def _shares(ordered: Floats, steps: Floats) -> tuple[float, ...]:
    return tuple(float(v) / len(ordered) for v in np.searchsorted(ordered, steps, side="right"))
