"""What is answered where a picture cannot be seen: the mean shape of the training labels, placed in the face's box."""

from __future__ import annotations

import numpy as np

from kptool.config import CropOptions
from kptool.crop import box_states, fit, model_size, whole_images
from kptool.dataset import Dataset, Ints, Mask, Predictions
from kptool.errors import DataError
from kptool.geometry import Floats
from kptool.metrics import mean_shape
from kptool.pixels import check_on_bad
from kptool.predictions import Faces, read_points
from kptool.provenance import Guess
from kptool.report.load import load_faces
from kptool.runs import Run


def guesses(test: Dataset, bad: list[tuple[int, str]], on_bad: str) -> list[tuple[int, Guess]]:
    """The rows that the mean shape answers, ascending, each once.

    Args:
        bad: rows whose picture cannot be used, with the reason in one line.
        on_bad: "fail" or "skip".

    Raises:
        UsageError: another word for on_bad.
        DataError: a row is bad and on_bad is "fail", or every row is bad.
    """
    check_on_bad(on_bad)
    reasons = dict(reversed(bad))  # the first reason of a row stays
    count = f"{len(reasons)} of {len(test)} faces of the test set cannot be seen"
    if reasons and on_bad == "fail":
        raise DataError(f"{bad[0][1]} ({count})", "mend them, or --on-bad skip answers them by the mean shape")
    if reasons and len(reasons) == len(test):
        raise DataError(f"{bad[0][1]} ({count})", "check --data, a submission needs pictures")
    return [(row, Guess(str(test.ids[row]), reasons[row])) for row in sorted(reasons)]


def fill(test: Dataset, good: Ints, predictions: Predictions, points: Floats) -> Predictions:
    """Predictions of every row of a test set: of the rows `good` as predicted, of the others `points` in file order."""
    n, k = len(test), len(test.schema.points)
    whole, spread = np.full((n, k, 2), np.nan), np.full((n, k), np.nan)
    whole[good], spread[good] = predictions.points, predictions.spread
    whole[np.setdiff1d(np.arange(n), good)] = points
    return Predictions(test.ids, whole, spread, test.schema)


def fallback(run: Run, test: Dataset) -> Floats:
    """(n, K, 2) the mean shape of a run's training labels, placed where each face of `test` is; see `mean_faces`.

    Raises:
        DataError: see `mean_faces`, or the run's files are damaged.
    """
    ids, truth = read_points(run.path / "truth.parquet", test.schema)
    return mean_faces(truth, load_faces(run, ids), test, run.recipe.crop)


def mean_faces(truth: Floats, faces: Faces, test: Dataset, options: CropOptions) -> Floats:
    """The mean shape in the original pixels of each picture.

    The labels of all training faces are mapped by their own crop, averaged, and mapped back by the crop of the face
    that is asked for. The crop is that of its box, with the recipe's margin; the picture's size is not needed for
    it. A face without a usable box gets the mean of the training labels in their whole pictures instead.

    Args:
        truth: (M, K, 2) training labels in px of the original pictures, NaN = not labelled.
        faces: boxes and picture sizes of the same M.
        test: n faces; sizes of 0 are not known.

    Raises:
        DataError: a face with neither box nor size, or a point that is labelled in no training face.
    """
    size, out = model_size(test, options), np.full((len(test), len(test.schema.points), 2), np.nan)
    boxes, known_boxes = test.every_box, box_states(faces.boxes, faces.sizes) == ""
    boxed: Mask = np.asarray((box_states(boxes, test.sizes) == "") & known_boxes.any())
    sized = test.sizes.all(1) & ~boxed
    if (lost := np.flatnonzero(~boxed & ~sized)).size:
        raise DataError(
            f"{test.ids[lost[0]]}: neither a box nor the picture's size is known, so no face can be placed "
            f"({lost.size} such)",
            "give it a box, or its width and height",
        )
    cases = [
        (boxed, boxes, known_boxes, faces.boxes, options.margin),
        (sized, whole_images(test.sizes), np.asarray(faces.sizes.all(1)), whole_images(faces.sizes), 0.0),
    ]
    for rows, here, seen, there, margin in cases:
        if rows.any():
            shape = _shape(fit(there[seen], margin, size, options)(truth[seen]), test)
            out[rows] = fit(here[rows], margin, size, options).inverse()(shape)
    return out


def _shape(points: Floats, test: Dataset) -> Floats:
    shape = mean_shape(points)
    for k in np.flatnonzero(~np.isfinite(shape).all(1))[:1]:
        raise DataError(
            f"{test.schema.points[k]}: labelled in no training face, so the mean shape lacks it", "--on-bad fail"
        )
    return shape
