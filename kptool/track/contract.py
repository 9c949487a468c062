"""What a tracker is told and what it must be able to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from kptool.engine.progress import MEASURES, Measure

Plain = str | int | float | bool


@dataclass(frozen=True)
class Facts:
    """What is known of a run before it trains.

    Attributes:
        run: its name.
        folder: where it stands.
        competition: the competition's short name.
        recipe: every setting as {"train.epochs": 16, …}.
        digests: of "recipe", "data" and, where the recipe names a file of them, "weights".
        environment: versions, machine, device and precision.
        folds: those the run was asked for.
        measure: what its held-out figures are called.
    """

    run: str
    folder: Path
    competition: str
    recipe: Mapping[str, Plain]
    digests: Mapping[str, str]
    environment: Mapping[str, Plain]
    folds: tuple[int, ...]
    measure: Measure = MEASURES["keypoints"]


class Point(NamedTuple):
    """One epoch of one fold.

    Attributes:
        fold: which.
        epoch: 1, 2, …
        at: when it ended, seconds since 1970.
        values: the curves' new values by name; the held-out score only where the epoch was evaluated.
    """

    fold: int
    epoch: int
    at: float
    values: Mapping[str, float]


class Begun(NamedTuple):
    """A tracker's answer to `begin`.

    Attributes:
        held: fold -> the last epoch that the tracker has from an earlier sitting; it is sent those after it.
        where: one line that says where to look.
    """

    held: Mapping[int, int]
    where: str


class Tracker(Protocol):
    """One place that curves go to. Whatever a method raises switches it off, and nothing else stops."""

    def begin(self, facts: Facts) -> Begun:
        """Open the run there, or open it again; called once, before any other method."""

    def epoch(self, point: Point) -> None:
        """Take in an epoch; each comes once, those of a fold in order, those of different folds interleaved."""

    def finish(self, scores: Mapping[str, float]) -> None:
        """Take in the report's scores; not called where the training failed or was stopped."""

    def close(self) -> None:
        """Let go of everything; called at the end, however that came, and also after an error of the tracker."""
