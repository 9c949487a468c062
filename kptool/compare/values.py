"""What a comparison is made of. Figures that are not known are NaN, in CSV and JSON nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

Word = Literal["better", "worse", "no difference that these images can show", "too few groups to say"]
Rows = Literal["common", "all"]


@dataclass(frozen=True)
class Scores:
    """One run's out-of-fold scores over some images.

    Attributes:
        lead: the competition's metric, px or %.
        fold_mean, fold_std: of the folds' own figures of it; the sample standard deviation, of n - 1.
        rmse: px, over all labelled coordinates.
        complete: RMSE in px of the images with every point labelled; NaN where there are none.
        by_scheme: the competition's metric of the images of each marking scheme; NaN where none was scored.
        test_mix: RMSE in px at the test set's mix of schemes; NaN where it is not known.
        images, values: how many images and labelled coordinates this is over.
        complete_images: how many of them have every point labelled.
    """

    lead: float
    fold_mean: float
    fold_std: float
    rmse: float
    complete: float
    by_scheme: dict[str, float]
    test_mix: float
    images: int
    values: int
    complete_images: int


@dataclass(frozen=True)
class Line:
    """One run of the table.

    Attributes:
        name: as short as it is still its own among the runs compared.
        path: its folder as it was given.
        settings: by full key, those that are not the same in all runs; an ensemble has none.
        parameters: numbers that its training moves; NaN where the run did not note it.
        epochs: trained, mean over the folds.
        loss: the training loss's name; empty for an ensemble.
        train_loss: of the last epoch, mean over the folds; px or px² of the model's frame, or no unit.
        heldout: RMSE in px of the last held-out evaluation, plain view, mean over the folds.
        heldout_mse: mean over the folds of (RMSE / half the frame's width)²; NaN where images are not the frames.
        half: half the frame's width in px; NaN in the same cases.
        own: over all images that this run predicted.
        common: over the images and labels that all runs of the table share.
        seconds: wall time of the training.
    """

    name: str
    path: Path
    recipe: str
    digest: str
    seed: int
    settings: dict[str, object]
    folds: tuple[int, int]
    parameters: float
    epochs: float
    loss: str
    train_loss: float
    heldout: float
    heldout_mse: float
    half: float
    own: Scores
    common: Scores
    seconds: float
    images_per_second: float
    device: str
    precision: str
    keep: str


class Seeds(NamedTuple):
    """Runs that differ by their seed only: their places in the table, one for each seed."""

    name: str
    lines: tuple[int, ...]


@dataclass(frozen=True)
class Difference:
    """One run against another, on the images and labels that both predicted.

    Attributes:
        value, base: the competition's metric of both, px or %.
        difference: value - base; below 0, the run has the lower error.
        low, high: the 95 % percentile interval of the difference.
        images, values: how many images the metric is over, and how many labelled coordinates both predicted.
        groups: how many groups of images were resampled.
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
        normaliser: what its errors are divided by; None where they are in px.
        settings: full keys of those that are not the same in all runs, in the recipe's order.
        rows: over which images the table's scores are shown.
        base: place of the run that the others are held against.
        differences: of all others, in the table's order.
        resamples, seed: of the bootstrap.
        notes: what a reader must know, a sentence or two each.
    """

    competition: str
    title: str
    metric: str
    unit: str
    normaliser: str | None
    settings: tuple[str, ...]
    rows: Rows
    lines: tuple[Line, ...]
    seeds: tuple[Seeds, ...]
    base: int
    differences: tuple[Difference, ...]
    resamples: int
    seed: int
    notes: tuple[str, ...]

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
