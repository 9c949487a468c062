"""What every form is written from: the test faces in file order, with the points found in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kptool.dataset import Dataset, Ints, Lookup, Names, Photos, Predictions
from kptool.errors import QualityError
from kptool.formats.whole import whole_lookup
from kptool.geometry import Floats
from kptool.provenance import Guess


@dataclass(frozen=True)
class Answers:
    """A test set and its predictions, row for row.

    Attributes:
        dataset: N faces; several may stand in one picture.
        predictions: (N, K, 2) in the same order.
        lookup: the R values that the competition's table asks for; what a form of its own rows answers is `whole`.
        sample: row ids of the sample submission, or None.
        header: first line of a lookup or long submission.
        guessed: the faces that were answered by the mean shape.
        names: K point names as the competition's own files call them; empty = as the schema does.
        image_ids: N ids of the faces' pictures in COCO results; None = the pictures are counted from 1.
    """

    dataset: Dataset
    predictions: Predictions
    lookup: Lookup
    sample: Ints | None
    header: str
    guessed: tuple[Guess, ...] = ()
    names: tuple[str, ...] = ()
    image_ids: list[int | str] | None = None

    def __post_init__(self) -> None:
        n, k = len(self.dataset), len(self.dataset.schema.points)
        assert self.predictions.points.shape == (n, k, 2), self.predictions.points.shape
        assert (self.predictions.ids == self.dataset.ids).all(), "the rows are not the dataset's"
        assert self.image_ids is None or len(self.image_ids) == n, len(self.image_ids)

    @property
    def files(self) -> Names:
        """(N,) the picture of each face; what the dataset calls an image where it does not stand in a file."""
        images = self.dataset.images
        return images.files if isinstance(images, Photos) else self.dataset.ids

    @property
    def whole(self) -> Lookup:
        """Every coordinate in file order."""
        return whole_lookup(self.dataset)


def asked(lookup: Lookup, predictions: Predictions) -> Floats:
    """The (R,) values of a lookup table's rows, as predicted; never clipped.

    Args:
        lookup: R rows; `image` counts rows of `predictions`.
        predictions: (N, K, 2) in pixels of the original images.

    Raises:
        QualityError: a value asked for is NaN or infinite; image and point are named, nothing is filled in.
    """
    found = predictions.points[lookup.image, lookup.point, lookup.axis]
    bad = np.flatnonzero(~np.isfinite(found))
    if len(bad):
        image, point, axis = (int(v[bad[0]]) for v in (lookup.image, lookup.point, lookup.axis))
        raise QualityError(
            f"image {predictions.ids[image]}: {predictions.schema.points[point]}_{'xy'[axis]} is predicted as "
            f"{found[bad[0]]} ({len(bad)} of {len(found)} values asked for are not finite)",
            "train again, a model that gives no number cannot be submitted",
        )
    return np.asarray(found, dtype=np.float64)


def every_point(answers: Answers) -> Floats:
    """All points (N, K, 2); raises QualityError as `asked` does."""
    return asked(answers.whole, answers.predictions).reshape(answers.predictions.points.shape)
