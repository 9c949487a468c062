"""From a box in a photo to the model's frame, as one affine map; the pixels come later.

The box grows by its margin, then its shorter side grows until its shape is the frame's. Where it leaves the photo it is
padded, never moved or cut: the map knows nothing of the photo's border, so the way back is its exact inverse.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kptool.config import CropOptions
from kptool.dataset import Dataset, Mask, Photos
from kptool.errors import UsageError
from kptool.geometry import Affine, Floats, crop_resize, identity

FARTHEST = 1e7
SMALLEST = 1e-3
"""px: sides and places of boxes beyond these are slips, and would take the arithmetic's precision away."""


def model_size(dataset: Dataset, options: CropOptions) -> tuple[int, int]:
    """(W, H) of the model's frame.

    Raises:
        UsageError: photos of any size, and a recipe that names no frame.
    """
    if options.width:
        return options.width, options.height or options.width
    if isinstance(dataset.images, Photos):
        raise UsageError("crop.width is 0, but photos have no common size", "use --set crop.width=112, or another side")
    return dataset.images.shape[3], dataset.images.shape[2]


def slack(size: tuple[int, int], options: CropOptions) -> tuple[int, int]:
    """px kept on the left and right, and above and below, of a model's frame (W, H)."""
    return (round(size[0] * options.slack), round(size[1] * options.slack)) if options.width else (0, 0)


def uses_boxes(dataset: Dataset, options: CropOptions) -> bool:
    """Whether faces are cut out by their boxes, not taken as whole images."""
    return options.box == "file" or (options.box == "auto" and dataset.boxes is not None)


def settled(dataset: Dataset, options: CropOptions) -> CropOptions:
    """The options with crop.box = "auto" settled by a dataset, so that other images are cropped alike."""
    return options.model_copy(update={"box": "file" if uses_boxes(dataset, options) else "image"})


def boxed_or_whole(dataset: Dataset) -> Dataset:
    """The dataset with the whole image in place of every box that cannot be used."""
    if dataset.boxes is None:
        return dataset
    sizes = dataset.sizes.astype(np.float64)
    corner, side = dataset.boxes[:, :2], dataset.boxes[:, 2:]
    fine: Mask = np.asarray(np.isfinite(dataset.boxes).all(1) & (np.abs(dataset.boxes) <= FARTHEST).all(1))
    fine &= (side >= SMALLEST).all(1)
    fine &= (corner < sizes).all(1) & (corner + side > 0).all(1)
    whole = np.concatenate([np.zeros_like(sizes), sizes], axis=1)
    return replace(dataset, boxes=np.where(fine[:, None], dataset.boxes, whole))


def regions(dataset: Dataset, options: CropOptions) -> Floats:
    """(N, 4) what is cropped, before margins: the face's box or the whole image; NaN where a wanted box is missing."""
    sizes = dataset.sizes.astype(np.float64)
    whole = np.concatenate([np.zeros_like(sizes), sizes], axis=1)
    if not uses_boxes(dataset, options):
        return whole
    return np.full_like(whole, np.nan) if dataset.boxes is None else dataset.boxes


def crop_maps(dataset: Dataset, options: CropOptions) -> Affine:
    """N maps from the images' own pixels to the model's frame.

    Raises:
        UsageError: see `model_size`.
    """
    size = model_size(dataset, options)
    if not options.width:
        return identity(len(dataset))
    margin = options.margin if uses_boxes(dataset, options) else 0.0
    aspect = size if options.aspect == "keep" else None
    boxes = regions(dataset, options)
    boxes = np.where((boxes[:, 2:] > 0).all(1, keepdims=True), boxes, np.nan)  # no map for what shows nothing
    return crop_resize(grow(boxes, margin, aspect), size)


def grow(boxes: Floats, margin: float, aspect: tuple[int, int] | None) -> Floats:
    """Boxes (N, 4) with a margin on every side, then grown about their middle to the shape of `aspect` (W, H)."""
    middle = boxes[:, :2] + boxes[:, 2:] / 2
    sides = boxes[:, 2:] * (1 + 2 * margin)
    if aspect is not None:
        unit = np.asarray(aspect, dtype=np.float64)
        sides = (sides / unit).max(axis=1, keepdims=True) * unit
    return np.concatenate([middle - sides / 2, sides], axis=1)


def box_faults(dataset: Dataset, options: CropOptions) -> list[tuple[int, str]]:
    """(row, what is wrong) for every row whose crop cannot be made; one line each.

    Raises:
        UsageError: boxes are asked for, and no image has one.
    """
    if not options.width:
        return []
    if options.box == "file" and dataset.boxes is None:
        raise UsageError(
            f"{dataset.schema.name}: none of {len(dataset)} images has a box, and crop.box is 'file'",
            "give boxes, or train on whole images with --set crop.box=image",
        )
    boxes, sizes = regions(dataset, options), dataset.sizes
    out = []
    for row in np.flatnonzero(sizes.all(1)):
        left, top, width, height = boxes[row]
        shown = f"box ({left:g}, {top:g}, {width:g}, {height:g})"
        if not np.isfinite(boxes[row]).all():
            out.append((int(row), f"{dataset.ids[row]}: no box, where others have one"))
        elif max(map(abs, boxes[row])) > FARTHEST or 0 < min(width, height) < SMALLEST:
            out.append((int(row), f"{dataset.ids[row]}: {shown} is of no size that a photo has"))
        elif width <= 0 or height <= 0:
            out.append((int(row), f"{dataset.ids[row]}: {shown} has no area"))
        elif left >= sizes[row, 0] or top >= sizes[row, 1] or left + width <= 0 or top + height <= 0:
            out.append((int(row), f"{dataset.ids[row]}: {shown} lies wholly outside the photo"))
    return out
