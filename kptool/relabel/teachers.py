"""A run's models answer its own images once more, in every marking scheme they have outputs for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from kptool.config import PredictOptions
from kptool.dataset import Ints, Mask
from kptool.device import settle_process
from kptool.engine.reopen import fold_model
from kptool.geometry import Floats
from kptool.models.net import Net
from kptool.pictures import to_shown
from kptool.pixels import Tick
from kptool.runs import Run
from kptool.tasks.keypoints import Keypoints
from kptool.views import make_views

PART = 512
"""Rows between two ticks; a multiple of a batch, so that it decides nothing."""


@dataclass(frozen=True)
class Answers:
    """What one fold's model found.

    Attributes:
        points: (S, N, K, 2) px of the original images, by set of outputs; NaN in images that were not asked for.
        spread: (S, N, K) in the same px: the model's own, or where its head has none, the size of a px of its frame.
    """

    points: Floats
    spread: Floats

    def by(self, scheme: int) -> tuple[Floats, Floats]:
        """Points (N, K, 2) and spread (N, K) by the rules of a marking scheme; one set of outputs knows but one."""
        own = scheme if len(self.points) > 1 else 0
        return self.points[own], self.spread[own]


def ask(run: Run, task: Keypoints, wanted: dict[int, Mask], tick: Tick) -> dict[int, Answers]:
    """Let the model of each fold answer the rows (N,) that are wanted of it.

    The views are the plain one, and its mirror image where the recipe predicts with it: shifted ones cost five times
    as much. One thread, so that the same run gives the same bytes.
    """
    settle_process(task.device)
    mirrored = run.recipe.predict.mirror
    views = make_views(PredictOptions(mirror=mirrored, shift=0.0, scale=0.0), task.arrays.size)
    total, done, out = sum(int(rows.sum()) for rows in wanted.values()), 0, dict[int, Answers]()
    sets, (count, points) = task.sets, task.arrays.points_frame.shape[:2]
    for fold, mask in wanted.items():
        net, rows = cast(Net, fold_model(run, task, fold)), np.flatnonzero(mask)
        found, spread = np.full((sets, count, points, 2), np.nan), np.full((sets, count, points), np.nan)
        for start in range(0, len(rows), PART):
            part = rows[start : start + PART]
            found[:, part], spread[:, part] = task.answers(net, part, views)
            done += len(part)
            tick(done, total)
        out[fold] = Answers(found, _known(spread, task))
    return out


def _known(spread: Floats, task: Keypoints) -> Floats:
    if np.isfinite(spread).any():
        return np.where(spread > 0, spread, np.nan)
    # A radius is then constant in the model's frame, and grows with the face in the image.
    inner = to_shown(task.arrays, np.arange(spread.shape[1])).matrix[:, :2, :2]
    px: Floats = 1 / np.sqrt(np.abs(np.linalg.det(inner)))
    return np.broadcast_to(px[:, None], spread.shape).copy()


def held_out(answers: dict[int, Answers], fold: Ints, scheme: Ints) -> tuple[Floats, Floats]:
    """Points (N, K, 2) and spread (N, K) of every image by the model that never saw it, in its own scheme."""
    shape = next(iter(answers.values())).points.shape[1:]
    points, spread = np.full(shape, np.nan), np.full(shape[:2], np.nan)
    for own, found in answers.items():
        for s in np.unique(scheme):
            rows = (fold == own) & (scheme == s)
            at, sure = found.by(int(s))
            points[rows], spread[rows] = at[rows], sure[rows]
    return points, spread
