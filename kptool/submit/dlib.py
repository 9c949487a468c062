"""The form `dlib`: dlib's XML with a box and integer parts for every face, as the class of iBUG 300-W hands in."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kptool import annotations as annotated
from kptool.annotations import Annotations
from kptool.dataset import Ints, Names, Photos
from kptool.errors import DataError
from kptool.formats import dlib
from kptool.geometry import Floats
from kptool.submit.answers import Answers, every_point


def faces(answers: Answers) -> Annotations:
    """The predictions as annotations, not yet rounded; a face without a box to draw gets the hull of its points."""
    images, schema = answers.dataset.images, answers.dataset.schema
    whole = annotated.make(
        root=images.root if isinstance(images, Photos) else Path(),
        files=answers.files.tolist(),
        names=answers.names or schema.points,
        points=every_point(answers),
        boxes=_drawn(answers.dataset.boxes),
        sizes=answers.dataset.sizes,
        edges=schema.edges,
    )
    return whole.take(_by_picture(whole.files))  # XML holds the faces of one picture together


def write_form(path: Path, answers: Answers) -> None:
    """Write the XML, atomically.

    Raises:
        DataError: a picture's name that would leave the XML's folder.
    """
    dlib.write(faces(answers), path)


def check_form(path: Path, answers: Answers) -> None:
    """Hold pictures, count, order, boxes and points of a file against the predictions.

    Raises:
        DataError: naming file and face.
    """
    wanted, found = annotated.kept(faces(answers), dlib.HOLDS), dlib.read(path)
    if len(found) != len(answers.dataset):
        raise DataError(f"{path}: {len(found)} faces, expected {len(answers.dataset)}", "write every face")
    order = _by_picture(found.files)
    if (other := np.flatnonzero(found.files[order] != wanted.files)).size:
        at = int(other[0])
        raise DataError(f"{path}: face {at + 1} is of {found.files[order][at]}, expected {wanted.files[at]}", "reorder")
    if sorted(found.names) != sorted(wanted.names):
        name = min(set(found.names) ^ set(wanted.names))
        raise DataError(f"{path}: part '{name}' stands on one side only", "write every part by its name")
    named = [found.names.index(name) for name in wanted.names]
    half = 1e-6 if dlib.HOLDS.digits is None else 0.5 * 10.0**-dlib.HOLDS.digits * (1 + 1e-6)
    there, predicted = found.points[order][:, named], faces(answers).points
    for face, point, axis in np.argwhere(~(np.abs(there - predicted) <= half))[:1]:
        raise DataError(
            f"{path}: {wanted.files[face]}: {wanted.names[point]}_{'xy'[axis]} is {there[face, point, axis]:g}, "
            f"predicted was {predicted[face, point, axis]:g}",
            "write the file again",
        )
    if not np.allclose(found.boxes[order], wanted.boxes, rtol=0, atol=1e-6):
        raise DataError(f"{path}: a box is not the face's", "write the file again")


def _drawn(boxes: Floats | None) -> Floats | None:
    """Boxes (N, 4) with NaN in the rows where nothing is left when sides are rounded to whole pixels."""
    return None if boxes is None else np.where((np.round(boxes[:, 2:]) >= 1).all(1, keepdims=True), boxes, np.nan)


def _by_picture(files: Names) -> Ints:
    """Rows with those of one picture together, pictures as they first come, rows of a picture in their order."""
    _, first, picture = np.unique(files, return_index=True, return_inverse=True)
    return np.argsort(first[picture.reshape(-1)], kind="stable").astype(np.int64)
