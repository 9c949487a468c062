"""The pictures of the worst and the best faces, from the frames of their run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kptool.dataset import rows_of
from kptool.pictures import model_images, to_shown
from kptool.pixels import Arrays
from kptool.report.half_blocks import Gallery, Portrait
from kptool.report.outcome import Outcome
from kptool.report.values import Face, Report


def gallery(report: Report, outcome: Outcome, arrays: Arrays | None, why: str = "") -> Gallery:
    """Pictures of `report.worst` and `report.best`; without frames none, and `why` says so.

    Args:
        arrays: the frames of `outcome`'s N images, row by row.
    """
    if arrays is None:
        return Gallery(why=why)
    return Gallery(_portraits(report.worst, outcome, arrays), _portraits(report.best, outcome, arrays))


def _portraits(faces: Sequence[Face], outcome: Outcome, arrays: Arrays) -> tuple[Portrait, ...]:
    rows = rows_of(outcome.ids, np.array([face.id for face in faces], dtype=np.str_))
    shown = to_shown(arrays, rows)
    label, answer = shown(outcome.truth[rows]), shown(outcome.predicted[rows])
    answer = np.where(np.isfinite(label).all(-1, keepdims=True), answer, np.nan)
    worst = [outcome.schema.points.index(face.worst_point) for face in faces]
    return tuple(map(Portrait, faces, model_images(arrays, rows), label, answer, worst))
