"""Pairs of images that show one photo: another compression or brightness, a shifted crop, a mirrored copy.

Faces all look alike, so a high correlation of two thumbnails proves little: frames of one film reach 0.99 with another
expression. Three sieves, each stricter and dearer than the last, keep the work small:

1. band-passed thumbnails of 24 x 24, every pair, by blocked matrix products;
2. smoothed thumbnails of 24 x 24, correlated over whole-pixel shifts;
3. thumbnails of 48 x 48, aligned by an affine map, which must then agree in EVERY place: an open mouth is small beside
   the whole face and large in its own window.

An image without contrast has no direction to compare and is no look-alike of any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from kptool.alignment import SIDE, same_photo
from kptool.dataset import Ints
from kptool.geometry import Bytes

Thumbs = npt.NDArray[np.float32]

COARSE: Final = SIDE // 2  # px, side of the thumbnails that propose
REACH: Final = 2  # coarse px either way that a copy may be shifted by: 1/12 of the side
BLOCK: Final = 1024  # rows of a matrix product: 1024 x 50 000 float32 are 0.2 GB
LEAST_CONTRAST: Final = 1.0  # grey levels, root mean square of the band-passed thumbnail
# The limits below were set by looking at pairs of the 7049 Kaggle faces on both sides of each.
PROPOSED: Final = 0.75  # correlation of band-passed thumbnails
SHIFTED: Final = 0.94  # correlation of smoothed thumbnails at the best shift


@dataclass(frozen=True)
class LookAlikes:
    """Pairs i < j of rows.

    Attributes:
        same: (P, 2) int, one photo twice.
        mirrored: (Q, 2) int, a photo and its mirror image.
    """

    same: Ints
    mirrored: Ints


def find(images: Bytes) -> LookAlikes:
    """Compare distinct images (N, C, H, W) uint8, each with every other and with every other's mirror image."""
    fine = _smooth(_shrink(images), 1)  # copies differ in sharpness
    fine -= fine.mean(axis=(1, 2), keepdims=True)
    soft = _smooth(_halve(fine), 0.6)  # without the detail, which a shift of half a pixel moves
    band = soft - _smooth(soft, 3)  # and without the shading, which all faces share
    rows = np.flatnonzero(_norm(band) >= LEAST_CONTRAST * COARSE)
    fine, soft, band = fine[rows], soft[rows], _direction(band[rows])
    same = _pairs((fine, soft, band), (fine, soft, band))
    mirrored = _pairs((fine, soft, band), (fine[:, :, ::-1], soft[:, :, ::-1], band[:, :, ::-1]))
    return LookAlikes(rows[same], rows[mirrored])


def _pairs(left: tuple[Thumbs, Thumbs, Thumbs], right: tuple[Thumbs, Thumbs, Thumbs]) -> Ints:
    """Pairs (P, 2), i < j, where right[j] shows the photo of left[i]; fine, soft and band-passed thumbnails of both."""
    pairs = _propose(left[2], right[2])
    correlation, offset = _best_shift(left[1], right[1], pairs)
    near = correlation >= SHIFTED
    pairs, offset = pairs[near], offset[near]
    agree = [
        same_photo(left[0][i], np.ascontiguousarray(right[0][j]), move * SIDE / COARSE)
        for (i, j), move in zip(pairs, offset, strict=True)
    ]
    return pairs[np.array(agree, dtype=np.bool_)]


def _shrink(images: Bytes) -> Thumbs:
    """(N, SIDE, SIDE) grey thumbnails; every pixel counts, so noise averages out."""
    out = np.empty((len(images), SIDE, SIDE), dtype=np.float32)
    for image, small in zip(images, out, strict=True):
        grey = image[0] if len(image) == 1 else image.mean(axis=0, dtype=np.float32)
        cv2.resize(grey.astype(np.float32), (SIDE, SIDE), dst=small, interpolation=cv2.INTER_AREA)
    return out


def _halve(fine: Thumbs) -> Thumbs:
    """(N, COARSE, COARSE); sums of slices, many times faster than a mean over two axes."""
    halved: Thumbs = (fine[:, ::2, ::2] + fine[:, 1::2, ::2] + fine[:, ::2, 1::2] + fine[:, 1::2, 1::2]) / np.float32(4)
    return halved


def _smooth(thumbs: Thumbs, sigma: float) -> Thumbs:
    out = np.empty_like(thumbs)
    for image, smooth in zip(thumbs, out, strict=True):
        cv2.GaussianBlur(image, (0, 0), sigma, dst=smooth)
    return out


def _norm(thumbs: Thumbs) -> Thumbs:
    """(N,) root of the sum of squares."""
    return np.asarray(np.sqrt(np.einsum("nij,nij->n", thumbs, thumbs)))


def _direction(thumbs: Thumbs) -> Thumbs:
    """(N, h, w) of zero mean and unit length, so that a dot product is a correlation."""
    centred = thumbs - thumbs.mean(axis=(1, 2), keepdims=True)
    return np.asarray(centred / _norm(centred)[:, None, None])


def _propose(left: Thumbs, right: Thumbs) -> Ints:
    """Pairs (P, 2), i < j, of correlated directions; never more than BLOCK rows of the N x N table exist at once."""
    left, right = left.reshape(-1, COARSE**2), right.reshape(-1, COARSE**2)
    found = [np.empty((0, 2), dtype=np.int64)]
    for start in range(0, len(left), BLOCK):
        high = left[start : start + BLOCK] @ right[start:].T > PROPOSED
        pairs = np.stack(np.nonzero(high), axis=1)
        found.append(pairs[pairs[:, 0] < pairs[:, 1]] + start)
    return np.concatenate(found)


def _best_shift(left: Thumbs, right: Thumbs, pairs: Ints) -> tuple[Thumbs, Ints]:
    """Highest correlation (P,) over whole-pixel shifts, and the shift (P, 2) in x, y that takes left to right."""
    best, offset = np.full(len(pairs), -1, dtype=np.float32), np.zeros((len(pairs), 2), dtype=np.int64)
    side = COARSE - 2 * REACH
    for start in range(0, len(pairs), BLOCK):
        part = slice(start, start + BLOCK)
        fixed = _direction(left[pairs[part, 0], REACH : REACH + side, REACH : REACH + side])
        moving = right[pairs[part, 1]]
        for dy in range(2 * REACH + 1):
            for dx in range(2 * REACH + 1):
                window = moving[:, dy : dy + side, dx : dx + side]
                variance = _norm(window) ** 2 - np.einsum("nij->n", window) ** 2 / side**2
                value = np.einsum("nij,nij->n", fixed, window) / np.sqrt(np.maximum(variance, 1))
                better = value > best[part]
                best[part][better] = value[better]
                offset[part][better] = dx - REACH, dy - REACH
    return best, offset
