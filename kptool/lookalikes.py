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

from kptool.dataset import Ints, Mask
from kptool.geometry import Bytes, Floats, scale, shift

Thumbs = npt.NDArray[np.float32]

FINE: Final = 48  # px, side of the thumbnails that decide
COARSE: Final = 24  # px, side of the thumbnails that propose
REACH: Final = 2  # coarse px either way that a copy may be shifted by: 1/12 of the side
BLOCK: Final = 1024  # rows of a matrix product: 1024 x 50 000 float32 are 0.2 GB
LEAST_CONTRAST: Final = 1.0  # grey levels, root mean square of the band-passed thumbnail
# The limits below were set by looking at pairs of the 7049 Kaggle faces on both sides of each.
PROPOSED: Final = 0.75  # correlation of band-passed thumbnails
SHIFTED: Final = 0.94  # correlation of smoothed thumbnails at the best shift
ALIGNED: Final = 0.975  # correlation of fine thumbnails after the alignment
RESIDUE: Final = 0.019  # what the worst window of the copy leaves unexplained, in units of the image's variance
OVERLAP: Final = 0.60  # share of the thumbnail that the aligned copy covers

MIDDLE: Final = (FINE - 1) / 2
FROM_UNIT: Final = scale(MIDDLE, MIDDLE).then(shift(MIDDLE, MIDDLE)).matrix  # from [-1, 1] to fine pixels
TO_UNIT: Final = np.linalg.inv(FROM_UNIT)
X, Y = np.meshgrid(*2 * (np.linspace(-1, 1, FINE, dtype=np.float32),))
INNER: Final = np.pad(np.ones((FINE - 4, FINE - 4), dtype=np.float32), 2)  # smoothing spoils the margin


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
        _agree(left[0][i], np.ascontiguousarray(right[0][j]), move * FINE / COARSE)
        for (i, j), move in zip(pairs, offset, strict=True)
    ]
    return pairs[np.array(agree, dtype=np.bool_)]


def _shrink(images: Bytes) -> Thumbs:
    """(N, FINE, FINE) grey thumbnails; every pixel counts, so noise averages out."""
    out = np.empty((len(images), FINE, FINE), dtype=np.float32)
    for image, small in zip(images, out, strict=True):
        grey = image[0] if len(image) == 1 else image.mean(axis=0, dtype=np.float32)
        cv2.resize(grey.astype(np.float32), (FINE, FINE), dst=small, interpolation=cv2.INTER_AREA)
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


def _agree(left: Thumbs, right: Thumbs, offset: Floats) -> bool:
    """Whether an affine map turns `right` into `left`, everywhere; both (FINE, FINE), the map starts as a shift.

    The map is found by the inverse compositional Gauss-Newton method with a free gain and offset (Baker and Matthews,
    "Lucas-Kanade 20 years on", 2004): one photo twice is aligned to a correlation of 0.975 after one step or never.
    """
    dx, dy = cv2.Sobel(left, -1, 1, 0, scale=MIDDLE / 8), cv2.Sobel(left, -1, 0, 1, scale=MIDDLE / 8)
    design = np.stack([left, np.ones_like(left), dx * X, dx * Y, dx, dy * X, dy * Y, dy]).reshape(8, -1)
    to_right = np.array([[1, 0, offset[0]], [0, 1, offset[1]], [0, 0, 1]])
    best, aligned = ALIGNED, None
    for step in range(3):
        moved, seen = _sample(right, to_right)
        if seen.mean() < OVERLAP:
            break
        correlation, turn = _compare(design, moved.ravel(), seen.ravel())
        if correlation > best:
            best, aligned = correlation, (moved, seen)
        elif step:
            break
        if not 0.5 < np.linalg.det(turn) < 2:  # no crop of one photo is so much larger than another
            break
        to_right = to_right @ FROM_UNIT @ np.linalg.inv(turn) @ TO_UNIT
    return aligned is not None and _residue(left, *aligned) <= RESIDUE


def _sample(image: Thumbs, to_image: Floats) -> tuple[Thumbs, Mask]:
    """The image drawn through a map from the drawing's pixels to its own, and where it covers the drawing."""
    how, size = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, (FINE, FINE)
    moved: Thumbs = cv2.warpAffine(image, to_image[:2], size, flags=how, borderMode=cv2.BORDER_REPLICATE)
    return moved, (cv2.warpAffine(INNER, to_image[:2], size, flags=how) > 0.99) & (INNER > 0)


def _compare(design: Thumbs, moved: Thumbs, seen: Mask) -> tuple[float, Floats]:
    """Correlation of the drawing with the thumbnail behind `design` (8, n), and the small map (3, 3) that mends it."""
    known, moved = design * seen, moved * seen
    normal, right_side = (known @ design.T).astype(np.float64), (known @ moved).astype(np.float64)
    count, var = normal[1, 1], normal[0, 0] - normal[0, 1] ** 2 / normal[1, 1]
    var_moved = float(moved @ moved) - right_side[1] ** 2 / count
    together = right_side[0] - normal[0, 1] * right_side[1] / count
    gain, _, *change = np.linalg.solve(normal + 1e-6 * np.trace(normal) * np.eye(8), right_side)
    turn = np.eye(3)
    turn[:2] += np.reshape(change, (2, 3)) / max(gain, 0.1)
    return together / max(var * var_moved, 1e-9) ** 0.5, turn


def _residue(left: Thumbs, right: Thumbs, seen: Mask) -> float:
    """What the worst 7 x 7 window of one holds that a gain and an offset of its own cannot draw from the other.

    In units of the variance of the whole; the smaller of left from right and right from left, since a copy may lose
    what clipping or blur take. Both (FINE, FINE).
    """

    def window(values: Thumbs) -> Thumbs:
        mean: Thumbs = cv2.boxFilter(values, -1, (7, 7), borderType=cv2.BORDER_CONSTANT) / share
        return mean

    share = cv2.boxFilter(seen.astype(np.float32), -1, (7, 7), borderType=cv2.BORDER_CONSTANT) + 1e-6
    x, y = (np.where(seen, v - v[seen].mean(), 0) for v in (left, right))
    var_x = window(x * x) - window(x) ** 2
    var_y = window(y * y) - window(y) ** 2
    together = np.maximum(window(x * y) - window(x) * window(y), 0) ** 2
    floor = 1e-3  # of the variance: where a window is smooth, noise would pass for detail
    inside = share > 0.6
    return min(
        float((var_a - together / (np.maximum(var_b, 0) + floor * b[seen].var()))[inside].max() / a[seen].var())
        for a, var_a, b, var_b in ((x, var_x, y, var_y), (y, var_y, x, var_x))
    )
