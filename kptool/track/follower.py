"""Follows the histories of a run's folds and tells trackers of every new epoch, once."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from kptool.engine.history import Epoch, read_history
from kptool.engine.progress import MEASURES, Measure, Progress
from kptool.track.contract import Facts, Point, Tracker
from kptool.track.words import one_line


class Follower:
    """Tells trackers what history.csv has and they lack; closes them when the `with` block ends.

    A fold's news only says when to look. So it does not matter which epochs the news is of, whether some were trained
    in a sitting without trackers, or whether a kill came between an epoch and its news. A tracker that raises is
    switched off with a note, and the training goes on.

    Args:
        trackers: by name.
        facts: of the run.
        note: prints one line, whatever its characters are.
    """

    def __init__(self, trackers: Mapping[str, Tracker], facts: Facts, note: Callable[[str], None]) -> None:
        self.names = tuple(trackers)
        self._on, self._facts, self._note = dict(trackers), facts, note
        self._held: dict[str, dict[int, int]] = {name: {} for name in trackers}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._each(lambda _, tracker: tracker.close())
        self._on = {}

    def begin(self) -> None:
        """Open the run at every tracker and send what it has trained already."""
        self._each(self._begin)

    def update(self, progress: Progress) -> None:
        """Take in news of a fold."""
        self._catch_up(progress.fold)

    def finish(self, scores: Mapping[str, float]) -> None:
        """Hand over the report's scores."""
        self._each(lambda _, tracker: tracker.finish(scores))

    def _begin(self, name: str, tracker: Tracker) -> None:
        begun = tracker.begin(self._facts)
        self._held[name] = dict(begun.held)
        self._note(f"{name}: {begun.where}")
        for fold in self._facts.folds:
            self._send(name, tracker, points(self._facts.folder, fold, self._facts.measure))

    def _catch_up(self, fold: int) -> None:
        if self._on:
            found = points(self._facts.folder, fold, self._facts.measure)
            self._each(lambda name, tracker: self._send(name, tracker, found))

    def _send(self, name: str, tracker: Tracker, found: list[Point]) -> None:
        held = self._held[name]
        for point in found:
            if point.epoch > held.get(point.fold, 0):
                tracker.epoch(point)
                held[point.fold] = point.epoch

    def _each(self, call: Callable[[str, Tracker], None]) -> None:
        for name, tracker in list(self._on.items()):
            try:
                call(name, tracker)
            except Exception as error:  # a server gone, a disk full: nothing of it is worth a training
                del self._on[name]
                with suppress(Exception):
                    tracker.close()
                line = shlex.join(["kptool", "cv", "--resume", str(self._facts.folder), "--track", name])
                remedy = f"{line} sends what is missing"
                self._note(f"note: {name} is switched off, {one_line(error)}; {remedy}")


def points(folder: Path, fold: int, measure: Measure = MEASURES["keypoints"]) -> list[Point]:
    """What a fold's history.csv has, in order; empty where there is none yet.

    The file does not say when an epoch ended. It is reckoned back from when the file was written, by the seconds of
    training between, as if these had passed without a break.
    """
    file = folder / f"fold-{fold}" / "history.csv"
    if not file.is_file():
        return []
    rows, written = read_history(file), file.stat().st_mtime
    return [Point(fold, row.epoch, written - (rows[-1].seconds - row.seconds), _values(measure, row)) for row in rows]


def _values(measure: Measure, row: Epoch) -> dict[str, float]:
    values = {"loss": row.loss, measure.speed: row.images_per_second}
    return values if row.heldout is None else values | {measure.curve: row.heldout}
