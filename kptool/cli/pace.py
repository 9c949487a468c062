"""How far folds in training are, and when they will be done: the reckoning behind the live view."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kptool.engine.progress import Progress


@dataclass(frozen=True)
class Fold:
    """A fold as the view knows it.

    Attributes:
        now: the last news of it.
        start: (epoch, seconds) from which its speed is reckoned; not (0, 0) where the fold was resumed.
        at: the clock when the last news came, in seconds.
        heldout: last held-out score, None before the first evaluation.
        best: (score, epoch) of the best one.
    """

    now: Progress
    start: tuple[int, float] | None = None
    at: float = 0.0
    heldout: float | None = None
    best: tuple[float, int] | None = None

    def told(self, news: Progress, at: float) -> Fold:
        """The fold after `news` that came at the clock's `at`."""
        start = self.start
        if start is None and news.epoch > 0:
            # A resumed fold may count its seconds from the resumption or from the very start: only differences hold.
            start = (0, 0.0) if news.epoch == 1 else (news.epoch, news.seconds)
        best = self.best
        if news.heldout is not None and math.isfinite(news.heldout) and (best is None or news.heldout < best[0]):
            best = (news.heldout, news.epoch)
        heldout = self.heldout if news.heldout is None else news.heldout
        return replace(self, now=news, start=start, at=at, heldout=heldout, best=best)

    @property
    def loss(self) -> float | None:
        """Of the last epoch, None before the first; a NaN that came up in training stays one."""
        return self.now.loss if self.now.epoch else None

    @property
    def baseline(self) -> float | None:
        """The mean shape's score, None before the first news."""
        return None if math.isnan(self.now.baseline) else self.now.baseline

    @property
    def speed(self) -> float:
        """Images per second, 0 where it does not train or the speed is not known."""
        known = self.now.state == "training" and math.isfinite(self.now.images_per_second)
        return self.now.images_per_second if known else 0.0

    @property
    def per_epoch(self) -> float | None:
        """Seconds an epoch takes, None while that is not known."""
        if self.start is None or self.now.epoch <= self.start[0]:
            return None
        taken = (self.now.seconds - self.start[1]) / (self.now.epoch - self.start[0])
        return taken if taken > 0 and math.isfinite(taken) else None

    def left(self, clock: float, per_epoch: float | None = None) -> float | None:
        """Seconds of training left at the clock's `clock`; `per_epoch` stands in where the fold's own is not known."""
        if self.now.state not in ("waiting", "training"):
            return 0.0
        taken = self.per_epoch or per_epoch
        if taken is None:
            return None
        waited = clock - self.at if self.now.state == "training" else 0.0
        return max((self.now.epochs - self.now.epoch) * taken - waited, 0.0)


def total_left(folds: Sequence[Fold], workers: int, clock: float) -> float | None:
    """Seconds until the last fold is trained, None while that is not known.

    Folds that wait start, in order, as soon as one of the `workers` is free; a fold whose own speed is not known yet
    takes as long an epoch as the others do on average.
    """
    known = [fold.per_epoch for fold in folds if fold.per_epoch is not None]
    average = sum(known) / len(known) if known else None
    running = [fold.left(clock, average) for fold in folds if fold.now.state != "waiting"]
    waiting = [fold.left(clock, average) for fold in folds if fold.now.state == "waiting"]
    if None in running or None in waiting:
        return None
    busy = sorted(left for left in running if left)[-workers:]
    free_at = busy + [0.0] * (workers - len(busy))
    heapq.heapify(free_at)
    for left in waiting:
        heapq.heapreplace(free_at, free_at[0] + (left or 0.0))
    return max(free_at)


def duration(seconds: float | None) -> str:
    """Seconds as 0:07, 12:30, 1:02:03 or 2d 03h; '-' where not known."""
    if seconds is None or not math.isfinite(seconds):
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 24:
        return f"{hours // 24}d {hours % 24:02}h"
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def number(value: float | None, digits: int = 3) -> str:
    """A value in at most 8 characters, '-' where there is none."""
    if value is None:
        return "-"
    text = f"{value:.{digits}f}"
    return text if len(text) <= 7 else f"{value:.1e}"
