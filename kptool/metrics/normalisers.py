"""What errors are divided by, so that faces of all sizes count alike: a length of each face, from its labels or box.

A figure means nothing without the name of its normaliser: the inter-pupil distance of a face is about 0.7 of its
inter-ocular one, and a box of the labels is tighter than most boxes of a file. So names and values are made here,
side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, get_args

import numpy as np

from kptool.errors import DataError
from kptool.geometry import Floats
from kptool.schema import Schema

Kind = Literal["inter-ocular", "inter-pupil", "box", "diagonal"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


def normaliser(
    kind: Kind, truth: Floats, schema: Schema, boxes: Floats | None, ids: Sequence[str] | None = None
) -> Floats:
    """The length that each image's errors are divided by.

    - inter-ocular: distance of the two points of ``schema.scale_pair``. 300-W takes the outer corners of the eyes,
      points 37 and 46 of 68 (Sagonas et al., "300 Faces In-The-Wild Challenge: database and results", 2016).
    - inter-pupil: distance of the means of the points of ``schema.pupils`` (LBF and others, on the same 68 points).
    - box: sqrt(width x height) of the face's box (Bulat and Tzimiropoulos, "How far are we from solving the 2D & 3D
      Face Alignment problem?", 2017).
    - diagonal: sqrt(width^2 + height^2) of the same box, as used on AFLW.

    The box is the file's where `boxes` holds any, else the tight hull of the labels (largest minus smallest
    coordinate). A face with a point missing has a smaller hull by no merit of its own, so only faces with all K points
    labelled have one, and only where it has an area; and the two kinds of box are never mixed: where the file has
    boxes, a row without has none. `normaliser_name` says which it is.

    Args:
        kind: which length.
        truth: (N, K, 2) labels in px, NaN where not labelled.
        schema: the K points.
        boxes: (N, 4) left, top, width, height in the same px, NaN where a row has none; or None.
        ids: (N,) what a message calls the rows; their numbers if left out.

    Returns:
        (N,) lengths over 0, in px; NaN where it cannot be told.

    Raises:
        DataError: a length of 0, or a box of the file that covers nothing, named by its row.
    """
    lengths = measured(kind, truth, schema, boxes)
    if (bad := lengths <= 0).any():
        row = int(bad.argmax())
        place = f"row {row}" if ids is None else f"image {ids[row]}"
        raise DataError(
            f"{place}: the {normaliser_name(kind, boxes)} is {lengths[row]:g} px, so its error cannot be divided by it",
            "correct its labels or box, or choose another normaliser",
        )
    return lengths


def measured(kind: Kind, truth: Floats, schema: Schema, boxes: Floats | None) -> Floats:
    """`normaliser` as it was measured, for those who count what is not over 0 themselves: 0 stays 0."""
    assert boxes is None or boxes.shape == (len(truth), 4), (boxes.shape, truth.shape)
    if kind == "inter-ocular":
        if schema.scale_pair is None:
            return np.full(len(truth), np.nan)
        return _between(*(truth[:, point] for point in schema.scale_pair))
    if kind == "inter-pupil":
        if schema.pupils is None:
            return np.full(len(truth), np.nan)
        return _between(*(truth[:, list(eye)].mean(1) for eye in schema.pupils))  # NaN where one of the points is
    width, height = (_sides(boxes) if boxes is not None and has_boxes(boxes) else _hulls(truth)).T
    # One side of 0 leaves no box, whatever the other; the diagonal alone would not show it.
    lengths = np.sqrt(np.maximum(width * height, 0)) if kind == "box" else np.hypot(width, height)
    return np.where((width <= 0) | (height <= 0), 0, lengths)


def has_boxes(boxes: Floats | None) -> bool:
    """Whether the file tells any face's box."""
    return boxes is not None and bool(np.isfinite(boxes).all(1).any())


def normaliser_name(kind: Kind, boxes: Floats | None) -> str:
    """What a report calls it: "inter-ocular distance", "box of the file", "diagonal of the box of the labels"."""
    if kind in ("inter-ocular", "inter-pupil"):
        return f"{kind} distance"
    box = f"box of the {'file' if has_boxes(boxes) else 'labels'}"
    return box if kind == "box" else f"diagonal of the {box}"


def _between(one: Floats, two: Floats) -> Floats:
    return np.asarray(np.hypot(*(one - two).T))


def _sides(boxes: Floats) -> Floats:
    return np.where(np.isfinite(boxes).all(1, keepdims=True), boxes[:, 2:], np.nan)


def _hulls(truth: Floats) -> Floats:
    """(N, 2) width and height of the hull of all points; NaN where one is not labelled or the hull has no area."""
    sides = truth.max(1) - truth.min(1)  # NaN wins, which is what is wanted
    return np.where((sides > 0).all(1, keepdims=True), sides, np.nan)
