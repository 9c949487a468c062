"""What is answered where a picture cannot be seen: the mean shape of the training labels, placed in the face's box."""

from __future__ import annotations

import numpy as np

from kptool.config import CropOptions
from kptool.crop import grow, model_size
from kptool.dataset import Dataset, Ints, Mask, Predictions
from kptool.errors import DataError, UsageError
from kptool.geometry import Affine, Floats, crop_resize
from kptool.metrics import mean_shape
from kptool.predictions import Faces, read_faces, read_points
from kptool.provenance import Guess
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
    if on_bad not in ("fail", "skip"):
        raise UsageError(f"--on-bad {on_bad}", "it is fail or skip")
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
    faces = read_faces(run.path / "faces.parquet")
    if not np.array_equal(ids, faces.ids):
        raise DataError(f"{run.path}/faces.parquet: other images than in truth.parquet", "restore the run's own files")
    return mean_faces(truth, faces, test, run.recipe.crop)


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
    boxes = np.full((len(test), 4), np.nan) if test.boxes is None else test.boxes
    known_boxes = _usable(faces.boxes, faces.sizes)
    boxed = _usable(boxes, test.sizes) & known_boxes.any()
    sized = test.sizes.all(1) & ~boxed
    if (lost := np.flatnonzero(~boxed & ~sized)).size:
        raise DataError(
            f"{test.ids[lost[0]]}: neither a box nor the picture's size is known, so no face can be placed "
            f"({lost.size} such)",
            "give it a box, or its width and height",
        )
    cases = [
        (boxed, boxes, known_boxes, faces.boxes, options.margin),
        (sized, _whole(test.sizes), np.asarray(faces.sizes.all(1)), _whole(faces.sizes), 0.0),
    ]
    for rows, here, seen, there, margin in cases:
        if rows.any():
            shape = _shape(_crops(there[seen], margin, size, options)(truth[seen]), test)
            out[rows] = _crops(here[rows], margin, size, options).inverse()(shape)
    return out


def _crops(regions: Floats, margin: float, size: tuple[int, int], options: CropOptions) -> Affine:
    return crop_resize(grow(regions, margin, size if options.aspect == "keep" else None), size)


def _shape(points: Floats, test: Dataset) -> Floats:
    shape = mean_shape(points)
    for k in np.flatnonzero(~np.isfinite(shape).all(1))[:1]:
        raise DataError(
            f"{test.schema.points[k]}: labelled in no training face, so the mean shape lacks it", "--on-bad fail"
        )
    return shape


def _whole(sizes: Ints) -> Floats:
    sides = sizes.astype(np.float64)
    return np.concatenate([np.zeros_like(sides), sides], axis=1)


def _usable(boxes: Floats, sizes: Ints) -> Mask:
    """(N,) boxes with an area that lies in the picture, as far as its size is known."""
    near, far = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    inside = (far > 0).all(1) & ((near < sizes) | (sizes == 0)).all(1)
    return np.asarray(np.isfinite(boxes).all(1) & (boxes[:, 2:] > 0).all(1) & inside)
