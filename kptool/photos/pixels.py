"""A picture's pixels: upright, grey or RGB, 8-bit, no larger than needed, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, Literal, NamedTuple

import numpy as np
from PIL import Image, ImageFile, JpegImagePlugin, TiffImagePlugin

from kptool.errors import DataError
from kptool.geometry import Affine, Bytes, resize
from kptool.photos.header import REPLACE, Opened, alone, opened, why
from kptool.photos.orientation import as_stored, to_upright, turned_size

LARGE: Final = 16_000_000
"""Pictures with more pixels than this are decoded one at a time."""
STRIP: Final = 1 << 20  # pixels converted at once


class Decoded(NamedTuple):
    """A decoded picture.

    Attributes:
        pixels: (H, W, C) uint8, upright.
        from_original: the map from the upright original's pixels to those of this array.
    """

    pixels: Bytes
    from_original: Affine


def decode(path: Path, channels: Literal[1, 3], shrink: float = 1.0) -> Decoded:
    """A picture's pixels to keep; see `decoded`, whose limit on memory ends where this returns."""
    with decoded(path, channels, shrink) as found:
        return found


@contextmanager
def decoded(path: Path, channels: Literal[1, 3], shrink: float = 1.0) -> Iterator[Decoded]:
    """A picture's first frame, its EXIF orientation applied; transparent places are white, colour profiles ignored.

    With `shrink` the picture comes out at 1/k of its size, k the largest of 1, 2, 4 and 8 with 1/k >= shrink (and no
    side shorter than a pixel): x' = (x + 0.5)/k - 0.5 exactly, the last row and column holding what is left over. A
    JPEG is decoded at that size; other pictures are averaged over k x k pixels.

    Any number of threads may decode: of pictures with more than 16 megapixels (after a JPEG's reduction; a
    progressive JPEG counts whole, its coefficients do) only one is in memory at a time, until the context is left, at
    4 bytes a pixel beside the array that is given; 8 for a TIFF that is turned, 16 for WebP, which its library decodes
    whole.

    Args:
        path: the picture.
        channels: 1 = grey by Rec. 601, 3 = RGB.
        shrink: the fraction of its size that is needed, above 0 and at most 1.

    Raises:
        MissingFileError: there is no such file.
        DataError: it cannot be decoded, or read_header refuses it.
    """
    assert 0 < shrink <= 1, shrink
    with opened(path) as picture, ExitStack() as stack:
        less = max(k for k in (1, 2, 4, 8) if k == 1 or (1 / k >= shrink and k <= min(picture.stored)))
        try:
            drafted = _draft(picture, channels, less)
            whole = drafted == 1 or "progressive" in picture.image.info
            pixels = picture.stored[0] * picture.stored[1] // (1 if whole else drafted**2)
            if pixels > LARGE:
                stack.enter_context(alone())
            found = _decoded(picture, channels, less, drafted)
        except Exception as error:
            raise DataError(f"{path}: cannot be decoded ({why(error)})", REPLACE) from None
        yield found


def _draft(picture: Opened, channels: int, less: int) -> int:
    """Have a JPEG decoded at 1/less of its size, and only its luma for grey; by how much it will be reduced."""
    if not isinstance(picture.image, JpegImagePlugin.JpegImageFile):
        return 1
    width, height = picture.stored
    told = picture.image.draft("L" if channels == 1 else "RGB", (width // less, height // less))
    return 1 if told is None else round(width / told[1][2])


def _decoded(picture: Opened, channels: int, less: int, drafted: int) -> Decoded:
    image = picture.image
    image.load()
    turned = isinstance(image, TiffImagePlugin.TiffImageFile)  # Pillow does so in load(), and for no other format
    turn = 1 if turned else picture.header.orientation
    left = less // drafted
    stored = -(-image.width // left), -(-image.height // left)
    width, height = turned_size(stored, turn)
    pixels = np.empty((height, width, channels), dtype=np.uint8)
    _fill(as_stored(pixels, turn), image, left)
    smaller = resize((less, less), (1, 1))
    return Decoded(pixels, to_upright(picture.stored, turn).inverse().then(smaller).then(to_upright(stored, turn)))


def _fill(target: Bytes, image: ImageFile.ImageFile, left: int) -> None:
    """Convert in strips of rows: beside the picture as Pillow holds it stands only the array that is returned."""
    rows = left * max(1, STRIP // (image.width * left))
    for top in range(0, image.height, rows):
        strip = plain(image.crop((0, top, image.width, min(top + rows, image.height))), target.shape[2])
        if left > 1:
            strip = strip.reduce(left)
        target[top // left :][: strip.height] = np.asarray(strip).reshape(strip.height, strip.width, -1)


def plain(image: Image.Image, channels: int) -> Image.Image:
    """A picture of any mode as "L" (1 channel) or "RGB" (3), transparent places on white."""
    clear = image.info.get("transparency")
    if image.mode.startswith("I"):
        deep = np.asarray(image).astype(np.uint32)
        grey = ((deep + 128) // 257).astype(np.uint8)  # 0 to 65535 becomes 0 to 255, rounded
        if isinstance(clear, int):
            grey[deep == clear] = 255
        image = Image.fromarray(grey)
    elif clear is not None or image.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        layer = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        image = Image.new("RGBA", layer.size, "white")
        image.alpha_composite(layer)
    return image.convert("L" if channels == 1 else "RGB")
