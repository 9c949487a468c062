"""An image's grey levels set by themselves, before training and prediction alike, so that dark and pale ones compare.

Every step looks at one image alone: its result does not depend on which others stand beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, assert_never

import cv2
import numpy as np
import numpy.typing as npt

from kptool.config import ImageOptions
from kptool.errors import UsageError
from kptool.geometry import Bytes

AS_IT_IS: Final = ImageOptions()
"""No change of contrast."""
MEAN: Final = 0.47 * 255
DEVIATION: Final = 0.25 * 255
"""Grey levels that standardise brings an image to: what models/net.GREY takes pixels for, so that a network built on it
sees mean 0 and deviation 1. Black and white then stand 1.9 and 2.1 deviations off, and what lies beyond is clipped."""
FLATTEST: Final = 1.0
"""Grey levels: a smaller deviation is rounding, not a picture, and standardise does not blow it up further."""


def contrasted(images: Bytes, options: ImageOptions) -> Bytes:
    """Images with the recipe's contrast; under "none" the very same array, else a new one. A flat image stays flat.

    Stretch is scikit-image's rescale_intensity between two percentiles of the image, all channels together; an image
    whose two percentiles are one level is left as it is. Equalise and clahe are OpenCV's; of RGB they change the luma
    (Rec. 601) and keep both chromas. Standardise brings mean and deviation, over all channels, to MEAN and DEVIATION.

    Args:
        images: (C, H, W) or (N, C, H, W) uint8. Three channels are RGB; of any other number each is taken for itself.
        options: the recipe's [image].

    Raises:
        UsageError: clahe with more tiles than an image has px.
    """
    if options.contrast == "none":
        return images
    if images.ndim == 3:
        return _one(images, options)
    out = np.empty(images.shape, dtype=np.uint8)
    for image, target in zip(images, out, strict=True):
        target[:] = _one(image, options)
    return out


def settings(options: ImageOptions) -> list[object]:
    """What decides the result, for a cache's key; nothing for "none"."""
    match options.contrast:
        case "none":
            return []
        case "stretch":
            return ["stretch", options.low, options.high]
        case "equalise":
            return ["equalise"]
        case "clahe":
            return ["clahe", options.clahe_clip, options.clahe_tiles]
        case "standardise":
            return ["standardise", MEAN, DEVIATION]
        case other:
            assert_never(other)


def _one(image: Bytes, options: ImageOptions) -> Bytes:
    match options.contrast:
        case "none":
            return image
        case "stretch":
            black, white = np.percentile(image, (options.low, options.high))
            return image.copy() if white <= black else _line(image, 255 / (white - black), float(black), 0.0)
        case "equalise":
            return _on_luma(image, lambda plane: np.asarray(cv2.equalizeHist(plane), np.uint8))
        case "clahe":
            return _clahe(image, options)
        case "standardise":
            gain = DEVIATION / max(FLATTEST, float(image.std()))
            return _line(image, gain, float(image.mean()), MEAN)
        case other:
            assert_never(other)


def _clahe(image: Bytes, options: ImageOptions) -> Bytes:
    tiles, (height, width) = options.clahe_tiles, image.shape[1:]
    if tiles > min(width, height):
        raise UsageError(
            f"image.clahe_tiles = {tiles}, but an image has {width}x{height} px", "use --set image.clahe_tiles=8"
        )
    # One for each image: an instance keeps its tables between calls, and frames are made on several threads.
    made = cv2.createCLAHE(clipLimit=options.clahe_clip, tileGridSize=(tiles, tiles))
    return _on_luma(image, lambda plane: np.asarray(made.apply(plane), np.uint8))


def _line(image: Bytes, gain: float, level: float, becomes: float) -> Bytes:
    """Grey levels on a line through (level, becomes), rounded and clipped: a table of 256, looked up."""
    straight = gain * (np.arange(256) - level) + becomes
    changed: Bytes = np.clip(np.rint(straight), 0, 255).astype(np.uint8)[image]
    return changed


def _on_luma(image: Bytes, change: Callable[[Bytes], Bytes]) -> Bytes:
    if len(image) != 3:
        return np.stack([change(np.ascontiguousarray(plane)) for plane in image])
    colour: npt.NDArray[np.uint8] = np.asarray(
        cv2.cvtColor(np.ascontiguousarray(np.moveaxis(image, 0, -1)), cv2.COLOR_RGB2YCrCb), np.uint8
    )
    colour[..., 0] = change(np.ascontiguousarray(colour[..., 0]))
    back = np.asarray(cv2.cvtColor(colour, cv2.COLOR_YCrCb2RGB), np.uint8)
    return np.ascontiguousarray(np.moveaxis(back, -1, 0))
