"""Shapes on a canvas of any resolution, given in the picture's pixels, exact to 1/64 px."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from kptool.geometry import Bytes, Floats, resize

SIZE = 96
"""Side of the picture, px."""

FINE = 3
"""Samples per pixel and axis of the canvas that is painted on."""

BITS = 4


@lru_cache
def to_canvas(side: int) -> tuple[float, float]:
    """Factor and offset from the picture's pixels to fixed-point ones of a canvas `side` pixels wide and high."""
    matrix = resize((SIZE, SIZE), (side, side)).matrix * (1 << BITS)
    return float(matrix[0, 0]), float(matrix[0, 2])


def _fixed(canvas: Bytes, points: Floats) -> npt.NDArray[np.int32]:
    factor, offset = to_canvas(len(canvas))
    return np.rint(points * factor + offset).astype(np.int32)


def fill(canvas: Bytes, points: Floats, tone: float) -> None:
    """Fill the polygon (n, 2)."""
    cv2.fillPoly(canvas, [_fixed(canvas, points)], round(tone), cv2.LINE_AA, BITS)


def fill_convex(canvas: Bytes, points: Floats, tone: float) -> None:
    """`fill` for a convex polygon: its centroid is kept to 0.02 samples, where `fill` wanders by 0.1 (measured)."""
    cv2.fillConvexPoly(canvas, _fixed(canvas, points), round(tone), cv2.LINE_AA, BITS)


def stroke(canvas: Bytes, points: Floats, tone: float, width: float) -> None:
    """Draw the line (n, 2), or many of them (m, n, 2), `width` px wide but at least one pixel of the canvas."""
    lines = _fixed(canvas, points).reshape(-1, *points.shape[-2:])
    thick = max(1, round(width * len(canvas) / SIZE))
    cv2.polylines(canvas, list(lines), False, round(tone), thick, cv2.LINE_AA, BITS)


def disc(canvas: Bytes, centre: Floats, radius: float, tone: float) -> None:
    """Fill a circle of `radius` px."""
    x, y = _fixed(canvas, centre)
    size = round(radius * len(canvas) / SIZE * (1 << BITS))
    cv2.circle(canvas, (int(x), int(y)), size, round(tone), -1, cv2.LINE_AA, BITS)


@lru_cache
def ring(count: int = 24) -> Floats:
    """(count, 2) points of the unit circle."""
    angle = np.arange(count) * (2 * np.pi / count)
    points = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    points.flags.writeable = False  # shared by every caller
    return points


def inside(canvas: Bytes, painted: Bytes, shapes: list[Floats]) -> None:
    """Let `painted` show on `canvas` within the polygons `shapes`."""
    mask = np.zeros_like(canvas)
    for points in shapes:
        cv2.fillPoly(mask, [_fixed(canvas, points)], 255, cv2.LINE_8, BITS)
    cv2.copyTo(painted, mask, canvas)


def blend(canvas: Bytes, painted: Bytes, share: float) -> None:
    """Mix `painted` into `canvas`; share 1 replaces it."""
    cv2.addWeighted(painted, share, canvas, 1 - share, 0, dst=canvas)


def shrink(canvas: Bytes) -> Bytes:
    """The mean of every FINE x FINE block, which is geometry.resize: the centre of a block is the pixel's centre."""
    return np.asarray(cv2.resize(canvas, (SIZE, SIZE), interpolation=cv2.INTER_AREA))
