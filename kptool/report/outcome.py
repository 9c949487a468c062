"""What a report is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from kptool.config import Recipe
from kptool.dataset import Ints, Names
from kptool.engine.history import Epoch
from kptool.geometry import Affine, Floats
from kptool.metrics import Kind
from kptool.schema import Schema
from kptool.schemes import Schemes
from kptool.tasks.across import Across


@dataclass(frozen=True)
class Edited:
    """What was trained on where the recipe edits labels.

    Attributes:
        labels: (N, K, 2) in the original image's px; NaN where edits took a label away.
        edits: how many there are of each action that occurs.
    """

    labels: Floats
    edits: dict[str, int]


@dataclass(frozen=True)
class Outcome:
    """What a finished, or partly finished, cross-validation hands over.

    Attributes:
        title: the competition's.
        size: (W, H) of the frames that the model is shown, in px.
        to_frame: N maps from the original image's px to the frame's; the identity where nothing is cropped.
        boxes: (N, 4) left, top, width, height of each face in the original image's px, NaN where a row has none; or
            None.
        sizes: (N, 2) W and H of the original images in px.
        metric: the figure that leads the report.
        normaliser: what errors are divided by where that is the NME.
        ids: (N,) what each image is called.
        truth: (N, K, 2) labels in the original image's px, NaN where not labelled.
        predicted: (N, K, 2) out-of-fold predictions in the same frame; any value where fold is -1.
        spread: (N, K) the model's own standard deviation in px; NaN where it has none.
        fold: (N,) the fold that held the image out; -1 where that fold was not run.
        scheme: (N,) the marking scheme of each image, an index into schemes.
        test_mix: share of the values the test set asks for per scheme; None where no lookup table was read.
        group: (N,) images that share a number never part over folds; None where not known.
        seconds: wall time of the training, None where not known.
        label_shift: px per scheme that labels were found to sit right of the pixels they mean; None where mirroring
            did not show it. One number stands for all schemes where the model has one head.
        keep: "last" or "best" epoch; the best is chosen by the held-out score, which makes that optimistic.
        views: what was averaged at test time, such as "plain + mirrored".
        edited: the labels after the recipe's edits, which no other figure is taken over; None without edits.
        across: sums of squared errors of images answered in every scheme; None where it was not measured.
        history: the epochs of each fold that has a history.csv; an ensemble has none.
        recipe: what was trained; None for an ensemble, whose runs may differ.
        contrast: (N,) see `pictures.contrasts`; None where the pictures were not looked at.
    """

    title: str
    run: str
    recipe_name: str
    recipe_digest: str
    data_digest: str
    schema: Schema
    size: tuple[int, int]
    to_frame: Affine
    boxes: Floats | None
    sizes: Ints
    metric: Literal["rmse", "mae", "nme"]
    normaliser: Kind
    ids: Names
    truth: Floats
    predicted: Floats
    spread: Floats
    fold: Ints
    scheme: Ints
    schemes: Schemes
    test_mix: list[float] | None
    group: Ints | None
    seconds: float | None
    images_per_second: float | None
    device: str
    precision: str
    keep: str
    label_shift: list[float] | None
    views: str
    edited: Edited | None = None
    across: Across | None = None
    history: dict[int, list[Epoch]] = field(default_factory=dict)
    recipe: Recipe | None = None
    contrast: Floats | None = None

    def __post_init__(self) -> None:
        n, k = len(self.ids), len(self.schema.points)
        assert self.truth.shape == self.predicted.shape == (n, k, 2), (self.truth.shape, self.predicted.shape)
        assert self.spread.shape == (n, k), self.spread.shape
        assert self.fold.shape == self.scheme.shape == (n,), (self.fold.shape, self.scheme.shape)
        assert self.to_frame.matrix.shape == (n, 3, 3), self.to_frame.matrix.shape
        assert self.boxes is None or self.boxes.shape == (n, 4), self.boxes.shape
        assert self.sizes.shape == (n, 2), self.sizes.shape
        assert self.test_mix is None or len(self.test_mix) == len(self.schemes), self.test_mix
        assert self.edited is None or self.edited.labels.shape == (n, k, 2), self.edited.labels.shape
        assert self.contrast is None or self.contrast.shape == (n,), self.contrast.shape
        assert self.keep in ("last", "best"), self.keep
