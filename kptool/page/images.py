"""Pictures as text of a page: what the model saw, where it looked, and its first filters."""

from __future__ import annotations

import base64
import io
import math

import numpy as np
import numpy.typing as npt
from PIL import Image

from kptool.geometry import Bytes

Maps = npt.NDArray[np.float32]


def picture_uri(image: Bytes) -> str:
    """An image (C, H, W) of 1 or 3 channels as a WebP data URI."""
    planes = image[0] if len(image) == 1 else np.moveaxis(image, 0, -1)
    return _webp(np.ascontiguousarray(planes), 82)


def tiles_uri(maps: Maps) -> str:
    """Maps (K, h, w) of 0 to 1 as one grey picture, `columns_of(K)` of them in a row."""
    count, height, width = maps.shape
    columns = columns_of(count)
    sheet = np.zeros((math.ceil(count / columns) * height, columns * width), dtype=np.uint8)
    for k, one in enumerate(maps):
        top, left = k // columns * height, k % columns * width
        sheet[top : top + height, left : left + width] = np.round(255 * np.clip(one, 0, 1))
    return _webp(sheet, 60)


def columns_of(count: int) -> int:
    """Tiles in a row of a sheet of `count`."""
    return math.ceil(math.sqrt(count))


def filters_uri(weights: Maps, columns: int = 16) -> str:
    """Kernels (n, C, h, w) as a sheet in PNG, a pixel a weight, with clear gaps.

    Of three channels each filter is a colour, grey where it is 0; else the channels' mean, from blue (negative) over
    white to orange. Each filter has its own scale: its largest weight is fully coloured.
    """
    count, _, height, width = weights.shape
    columns = min(columns, count)
    scale = np.abs(weights).max((1, 2, 3), keepdims=True)
    level = weights / np.where(scale > 0, scale, 1)
    sheet = np.zeros((math.ceil(count / columns) * (height + 1) - 1, columns * (width + 1) - 1, 4), dtype=np.uint8)
    for n, one in enumerate(level):
        top, left = n // columns * (height + 1), n % columns * (width + 1)
        sheet[top : top + height, left : left + width, :3] = _colours(one)
        sheet[top : top + height, left : left + width, 3] = 255
    return _uri(Image.fromarray(sheet), "png")


def _colours(level: Maps) -> Bytes:
    """(h, w, 3) of one filter (C, h, w) of -1 to 1."""
    if len(level) == 3:
        return np.round(127.5 + 127.5 * np.moveaxis(level, 0, -1)).astype(np.uint8)
    mean = level.mean(0)[..., None]
    mean = mean / max(float(np.abs(mean).max()), 1e-9)
    white, blue, orange = (np.array(c, dtype=np.float64) for c in ((250, 250, 250), (0, 90, 160), (213, 94, 0)))
    end = np.where(mean < 0, blue, orange)
    return np.asarray(np.round(white + np.abs(mean) * (end - white)), dtype=np.uint8)


def _webp(pixels: Bytes, quality: int) -> str:
    return _uri(Image.fromarray(pixels), "webp", quality=quality, method=4)


def _uri(image: Image.Image, kind: str, **options: int) -> str:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
