"""Whether two thumbnails show one photo: aligned by an affine map, they must agree in every place."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from kptool.dataset import Mask
from kptool.geometry import Floats, scale, shift

Thumb = npt.NDArray[np.float32]

SIDE: Final = 48  # px of the thumbnails
# The limits were set by looking at pairs of the 7049 Kaggle faces on both sides of each.
ALIGNED: Final = 0.975  # correlation after the alignment
RESIDUE: Final = 0.019  # what the worst window of the copy leaves unexplained, in units of the image's variance
OVERLAP: Final = 0.60  # share of the thumbnail that the aligned copy covers

MIDDLE: Final = (SIDE - 1) / 2
FROM_UNIT: Final = scale(MIDDLE, MIDDLE).then(shift(MIDDLE, MIDDLE)).matrix  # from [-1, 1] to pixels
TO_UNIT: Final = np.linalg.inv(FROM_UNIT)
X, Y = np.meshgrid(*2 * (np.linspace(-1, 1, SIDE, dtype=np.float32),))
INNER: Final = np.pad(np.ones((SIDE - 4, SIDE - 4), dtype=np.float32), 2)  # smoothing spoils the margin


def same_photo(left: Thumb, right: Thumb, offset: Floats) -> bool:
    """Whether an affine map turns `right` into `left`, everywhere; both (SIDE, SIDE), the map starts as a shift.

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


def _sample(image: Thumb, to_image: Floats) -> tuple[Thumb, Mask]:
    """The image drawn through a map from the drawing's pixels to its own, and where it covers the drawing."""
    how, size = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, (SIDE, SIDE)
    moved: Thumb = cv2.warpAffine(image, to_image[:2], size, flags=how, borderMode=cv2.BORDER_REPLICATE)
    return moved, (cv2.warpAffine(INNER, to_image[:2], size, flags=how) > 0.99) & (INNER > 0)


def _compare(design: Thumb, moved: Thumb, seen: Mask) -> tuple[float, Floats]:
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


def _residue(left: Thumb, right: Thumb, seen: Mask) -> float:
    """What the worst 7 x 7 window of one holds that a gain and an offset of its own cannot draw from the other.

    In units of the variance of the whole; the smaller of left from right and right from left, since a copy may lose
    what clipping or blur take. Both (SIDE, SIDE).
    """

    def window(values: Thumb) -> Thumb:
        mean: Thumb = cv2.boxFilter(values, -1, (7, 7), borderType=cv2.BORDER_CONSTANT) / share
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
