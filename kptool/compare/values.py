"""What a comparison is made of. Figures that are not known are NaN, in CSV and JSON nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

Word = Literal[
    "better",
    "worse",
    "no difference that these images can show",
    "no difference that these pairs can show",
    "too few groups to say",
]
Rows = Literal["common", "all"]
Things = Literal["images", "pairs"]
Best = Literal["lowest", "highest", ""]  # of a column, which is marked; nothing = none


class Measure(NamedTuple):
    """What a figure is called and how it is shown.

    Attributes:
        key: its name in CSV and JSON.
        title, unit: the head of its column.
        need: how much it is missed where the terminal is too narrow; 0 is left out first.
        places: decimals.
        shown: whether the table has a column of it; CSV and JSON always have.
    """

    key: str
    title: str
    unit: str
    need: int
    places: int
    best: Best = "lowest"
    shown: bool = True


@dataclass(frozen=True)
class Scores:
    """One run's out-of-fold scores over some images, or over some pairs of them.

    Attributes:
        lead: the competition's metric, px or %.
        fold_mean, fold_std: of the folds' own figures of it; the sample standard deviation, of n - 1.
        images, values: how many images and labelled coordinates this is over; of pairs, both are their number.
        beside: other figures, by the keys of `Comparison.measures`; NaN, or no such key, where there is none.
    """

    lead: float
    fold_mean: float
    fold_std: float
    images: int
    values: int
    beside: dict[str, float]

    def __getitem__(self, measure: Measure) -> float:
        return self.beside.get(measure.key, math.nan)


@dataclass(frozen=True)
class Line:
    """One run of the table, or a baseline that was made beside it.

    Attributes:
        name: as short as it is still its own among the runs compared.
        path: its folder as it was given.
        settings: by full key, those that are not the same in all runs; an ensemble has none.
        parameters: numbers that its training moves; NaN where the run did not note it.
        epochs: trained, mean over the folds.
        loss: the training loss's name; empty for an ensemble.
        train_loss: of the last epoch, mean over the folds; px or px² of the model's frame, or no unit.
        heldout: of the last held-out evaluation, plain view, mean over the folds; `Comparison.heldout` says of what.
        own: over all images that this run predicted.
        common: over the images and labels that all runs of the table share.
        seconds: wall time of the training.
        images_per_second: of a fold's training steps; of verification, pairs.
        heldout_mse: mean over the folds of (RMSE / half the frame's width)²; NaN where images are not the frames.
        half: half the frame's width in px; NaN in the same cases.
        protocol: of pairs, see `PairOutcome`.
        baseline: True for what no recipe made.
    """

    name: str
    path: Path
    recipe: str
    digest: str
    seed: int | None
    settings: dict[str, object]
    folds: tuple[int, int]
    parameters: float
    epochs: float
    loss: str
    train_loss: float
    heldout: float
    own: Scores
    common: Scores
    seconds: float
    images_per_second: float
    device: str
    precision: str
    keep: str
    heldout_mse: float = math.nan
    half: float = math.nan
    protocol: str = ""
    baseline: bool = False


class Seeds(NamedTuple):
    """Runs that differ by their seed only: their places in the table, one for each seed."""

    name: str
    lines: tuple[int, ...]


@dataclass(frozen=True)
class Difference:
    """One run against another, on the images and labels, or on the pairs, that both predicted.

    Attributes:
        value, base: the competition's metric of both over all of them at once, px or %.
        difference: value - base; of errors below 0, of an accuracy above 0 is better.
        low, high: the 95 % percentile interval of the difference.
        images, values: how many images the metric is over, and how many labelled coordinates both predicted; of
            pairs, both are their number.
        groups: how many groups were resampled.
    """

    name: str
    value: float
    base: float
    difference: float
    low: float
    high: float
    images: int
    values: int
    groups: int
    word: Word


@dataclass(frozen=True)
class Comparison:
    """The whole comparison.

    Attributes:
        metric, unit: the competition's own, such as "RMSE" and "px".
        normaliser: what its errors are divided by; None where they are in px, or no errors.
        higher_is_better: whether it is.
        pooled: whether it is over all images at once; else it is the mean over folds.
        step: the unit of a difference of two of it.
        measures: the figures beside it, in the table's order.
        heldout: what the training's held-out evaluations measured.
        things: what is counted, and what groups are made of.
        settings: full keys of those that are not the same in all runs, in the recipe's order.
        rows: over which images the table's scores are shown.
        base: place of the run that the others are held against.
        differences: of all others, in the table's order.
        resamples, seed: of the bootstrap.
        notes: what a reader must know, a sentence or two each.
        protocol: of pairs, what all runs' protocols begin with.
        alignment: of pairs, see `PairOutcome`.
    """

    competition: str
    title: str
    metric: str
    unit: str
    normaliser: str | None
    higher_is_better: bool
    pooled: bool
    step: str
    measures: tuple[Measure, ...]
    heldout: Measure
    things: Things
    settings: tuple[str, ...]
    rows: Rows
    lines: tuple[Line, ...]
    seeds: tuple[Seeds, ...]
    base: int
    differences: tuple[Difference, ...]
    resamples: int
    seed: int
    notes: tuple[str, ...]
    protocol: str = ""
    alignment: str = ""

    @property
    def best(self) -> Best:
        """Which of the scores is marked."""
        return "highest" if self.higher_is_better else "lowest"

    @property
    def trained(self) -> tuple[Line, ...]:
        """The runs alone, without baselines."""
        return tuple(line for line in self.lines if not line.baseline)

    @property
    def same_images(self) -> bool:
        """Whether all runs predicted the same images and labels."""
        return all(
            line.own.values == line.common.values and line.own.images == line.common.images for line in self.lines
        )

    def scores(self, line: Line) -> Scores:
        """The scores that the table shows of a run."""
        return line.common if self.rows == "common" else line.own

    @property
    def comparable(self) -> bool:
        """Whether the scores shown are over one set of images."""
        return self.rows == "common" or self.same_images
