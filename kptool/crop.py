"""From a box in a photo to the model's frame, as one affine map; the pixels come later.

The box grows by its margin, then its shorter side grows until its shape is the frame's. Where it leaves the photo it is
padded, never moved or cut: the map knows nothing of the photo's border, so the way back is its exact inverse.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from kptool.config import CropOptions
from kptool.dataset import Dataset, Ints, Names, Photos
from kptool.errors import UsageError
from kptool.geometry import Affine, Floats, crop_resize, identity

STATES: Final = {
    "missing": "no box, where others have one",
    "size": "is of no size that a photo has",
    "area": "has no area",
    "outside": "lies wholly outside the photo",
}
"""What is wrong with boxes that cannot be used, the first that holds."""
WHOLE: Final = [0.0, 0.0, 1.0, 1.0]
"""crop.part of all of an image."""
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
    fine = (box_states(dataset.boxes, dataset.sizes) == "")[:, None]
    return replace(dataset, boxes=np.where(fine, dataset.boxes, whole_images(dataset.sizes)))


def whole_images(sizes: Ints) -> Floats:
    """(N, 4) boxes around images of (N, 2) W and H."""
    sides = np.asarray(sizes, dtype=np.float64)
    return np.concatenate([np.zeros_like(sides), sides], axis=1)


def regions(dataset: Dataset, options: CropOptions) -> Floats:
    """(N, 4) what is cropped, before margins: the face's box or the image's part; NaN where a wanted box is missing.

    Raises:
        UsageError: a part of images, where faces are cut out by their boxes.
    """
    if not uses_boxes(dataset, options):
        sides: Floats = np.tile(np.asarray(dataset.sizes, dtype=np.float64), 2)
        return sides * np.asarray(options.part, dtype=np.float64)
    if options.part != WHOLE:
        raise UsageError(
            f"crop.part = {options.part} is of whole images, but faces are cut out by their boxes",
            "set crop.box=image, or leave crop.part out",
        )
    return dataset.every_box


def crop_maps(dataset: Dataset, options: CropOptions) -> Affine:
    """N maps from the images' own pixels to the model's frame.

    Raises:
        UsageError: see `model_size`.
    """
    size = model_size(dataset, options)
    if not options.width:
        return identity(len(dataset))
    boxes = regions(dataset, options)
    boxes = np.where((boxes[:, 2:] > 0).all(1, keepdims=True), boxes, np.nan)  # no map for what shows nothing
    return fit(boxes, options.margin if uses_boxes(dataset, options) else 0.0, size, options)


def fit(boxes: Floats, margin: float, size: tuple[int, int], options: CropOptions) -> Affine:
    """N maps that bring boxes (N, 4), grown as the options say, to a frame of (W, H)."""
    return crop_resize(grow(boxes, margin, size if options.aspect == "keep" else None), size)


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
    states = box_states(boxes, sizes)
    out = []
    for row in np.flatnonzero((states != "") & sizes.all(1)):
        shown = "" if states[row] == "missing" else f"box ({', '.join(f'{side:g}' for side in boxes[row])}) "
        out.append((int(row), f"{dataset.ids[row]}: {shown}{STATES[str(states[row])]}"))
    return out


def box_states(boxes: Floats, sizes: Ints) -> Names:
    """(N,) why boxes (N, 4) cannot be used, a key of STATES; "" for those that can.

    Args:
        sizes: (N, 2) W and H of the images; where they are not known (0) a box is not held against them.
    """
    corner, side = boxes[:, :2], boxes[:, 2:]
    known = sizes.all(1)
    reasons = {
        "missing": ~np.isfinite(boxes).all(1),
        "size": (np.abs(boxes) > FARTHEST).any(1) | ((side.min(1) > 0) & (side.min(1) < SMALLEST)),
        "area": (side <= 0).any(1),
        "outside": known & ((corner >= sizes) | (corner + side <= 0)).any(1),
    }
    return np.select(list(reasons.values()), list(reasons), "")
