"""What a report tells beyond scores: curves, calibrated radii, kinds of faces, the mean face. Values only.

Lengths are in px of the original images unless the attribute says frame: then of the frame that the model is shown.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Coverage:
    """How often the calibrated radius held, over labels that it was not made from.

    Attributes:
        name: "all", "fold 0", or a marking scheme's.
        labels: labelled points.
        share: of them within their radius, 0 to 1; NaN where there are none.
    """

    name: str
    labels: int
    share: float


@dataclass(frozen=True)
class Radius:
    """One point's calibrated radius: the label lies no further from the answer in `level` of all images.

    Attributes:
        point: its name.
        frame: px of the frame that the model is shown; NaN where too few labels tell.
        px: the same in an original image of the middle scale.
        by_scheme: {scheme: px}; NaN where a scheme has too few labels of the point.
    """

    point: str
    frame: float
    px: float
    by_scheme: dict[str, float]


@dataclass(frozen=True)
class Calibration:
    """Conformal radii from out-of-fold errors, and whether they hold.

    Attributes:
        level: share of labels that a radius is to hold, such as 0.9.
        radii: one for each point, in file order.
        overall: over all folds, each judged by radii of the other folds.
        folds, schemes: the same, fold by fold and scheme by scheme.
        own: share of labels within the radius that the model's own spread promises for `level`; NaN where the model
            has none.
        own_px: that radius at its median.
    """

    level: float
    radii: tuple[Radius, ...]
    overall: Coverage
    folds: tuple[Coverage, ...]
    schemes: tuple[Coverage, ...]
    own: float
    own_px: float


@dataclass(frozen=True)
class FoldCurve:
    """One fold's training.

    Attributes:
        fold: which.
        epochs: 1, 2, ...
        loss: mean training loss of each epoch, in the units of the recipe's loss.
        heldout: RMSE on the held-out rows in px, NaN where it was not evaluated.
        seconds: training time so far, after each epoch.
    """

    fold: int
    epochs: tuple[int, ...]
    loss: tuple[float, ...]
    heldout: tuple[float, ...]
    seconds: tuple[float, ...]


@dataclass(frozen=True)
class Rates:
    """The learning rate over the training, as fraction of the peak.

    Attributes:
        peaks: {"lr": 0.002, "muon_lr": 0.15}: what a fraction of 1 means, for each optimizer in use.
        epochs: 0 to the last, in steps fine enough to draw.
        fraction: 0 to 1 at each.
    """

    peaks: dict[str, float]
    epochs: tuple[float, ...]
    fraction: tuple[float, ...]


@dataclass(frozen=True)
class GroupScore:
    """The images of one kind, scored alone.

    Attributes:
        about: what they are grouped by: "tilt", "turn", "size", "contrast", "labelled points".
        name: "tilted left", "small", "4 points", ...
        range: in words and units, such as "under 18°".
        images: how many.
        values: their labelled coordinates.
        lead: the competition's metric, in the unit of `Report.lead`.
        low, high: its 95 % interval, groups of images drawn again.
        mean_shape: the lead of the mean shape on the same images.
    """

    about: str
    name: str
    range: str
    images: int
    values: int
    lead: float
    low: float
    high: float
    mean_shape: float


@dataclass(frozen=True)
class FacePoint:
    """One point of the mean face, in px of the frame.

    Attributes:
        name: the point's.
        x, y: its mean place.
        rmse: per coordinate, of the errors in the frame.
        xx, xy, yy: covariance of the errors about their mean, px².
        dx, dy: mean error (predicted - label).
    """

    name: str
    x: float
    y: float
    rmse: float
    xx: float
    xy: float
    yy: float
    dx: float
    dy: float


@dataclass(frozen=True)
class MeanFace:
    """The mean face with the errors about each of its points.

    Attributes:
        size: (W, H) of the frame in px.
        points: those that are ever labelled, in file order.
        edges: pairs of places in `points` that a drawing joins.
    """

    size: tuple[int, int]
    points: tuple[FacePoint, ...]
    edges: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Ced:
    """Cumulative error distribution: the share of images whose mean point error is at most so large.

    Attributes:
        unit: "px", or "%" of the normaliser.
        normaliser: what errors are divided by, or None.
        steps: 0, ... ascending, in `unit`.
        shares, mean_shape: 0 to 1 at each step; of the model, and of the mean shape.
        images: how many there are.
    """

    unit: str
    normaliser: str | None
    steps: tuple[float, ...]
    shares: tuple[float, ...]
    mean_shape: tuple[float, ...]
    images: int


@dataclass(frozen=True)
class Remedy:
    """Something that went wrong in training, and what to try.

    Attributes:
        kind: "collapse", "over-confidence", "over-fitting", "under-fitting", "learning-rate", "tight-boxes",
            "weak-model".
        seen: what the numbers show, in a sentence with figures.
        tries: what to change, each a setting with a value where one can be given, such as "train.epochs = 48".
    """

    kind: str
    seen: str
    tries: tuple[str, ...]
