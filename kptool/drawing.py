"""Points drawn on pictures, as large as the face they belong to."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np

from kptool.dataset import Mask
from kptool.errors import DataError
from kptool.files import write_atomic
from kptool.geometry import Bytes, Floats

FOUND: Final = (0, 158, 115)  # bluish green, readable with any colour vision (Okabe and Ito, 2008)
JOINED: Final = (86, 180, 233)  # sky blue
BOX: Final = (230, 159, 0)  # orange
LABEL: Final = JOINED
"""Where both are drawn, a label is a ring of this colour and an answer a cross of the other: in terminals, on pages and
on contact sheets alike."""
ANSWER: Final = BOX
SHIFT: Final = 4
"""OpenCV draws at sixteenths of a pixel when given this many fractional bits."""
MOST_SIDE: Final = 65_500  # JPEG_MAX_DIMENSION of libjpeg's jmorecfg.h


def draw_face(
    picture: Bytes, points: Floats, edges: tuple[tuple[int, int], ...] = (), box: Floats | None = None
) -> None:
    """Draw points (K, 2), the lines that join them and a box into a picture (H, W, 3) uint8 RGB; NaN is left out."""
    known: Mask = np.asarray(np.isfinite(points).all(1))
    radius = _radius(points[known], picture.shape)
    width = max(1, round(radius / 1.5))
    if box is not None and np.isfinite(box).all():
        left, top, across, down = box
        corners = _fixed(np.array([[left - 0.5, top - 0.5], [left + across - 0.5, top + down - 0.5]]))
        cv2.rectangle(picture, corners[0], corners[1], BOX, width, cv2.LINE_AA, SHIFT)
    for a, b in edges:
        if known[a] and known[b]:
            ends = _fixed(points[[a, b]])
            cv2.line(picture, ends[0], ends[1], JOINED, width, cv2.LINE_AA, SHIFT)
    for centre in _fixed(points[known]):
        cv2.circle(picture, centre, round((radius + 0.6) * 2**SHIFT), (0, 0, 0), -1, cv2.LINE_AA, SHIFT)
        cv2.circle(picture, centre, round(radius * 2**SHIFT), FOUND, -1, cv2.LINE_AA, SHIFT)


def _radius(points: Floats, shape: tuple[int, ...]) -> float:
    """Of a dot, px: it must neither hide a small face nor vanish on a large one."""
    reach = float(np.ptp(points, axis=0).max()) if len(points) > 1 else 0.5 * max(shape[:2])
    return float(np.clip(reach / 90, 0.8, 12.0))


def drawn_path(folder: Path, name: str) -> Path:
    """Where a picture is drawn: under its own name, with .jpg after that of any other kind."""
    return folder / (name if name.lower().endswith((".jpg", ".jpeg")) else f"{name}.jpg")


def save_jpeg(picture: Bytes, path: Path) -> None:
    """Write a picture (H, W, 3) uint8 RGB, atomically.

    Raises:
        DataError: a side longer than the 65500 px that libjpeg writes.
    """
    if max(picture.shape) > MOST_SIDE:
        raise DataError(
            f"{path}: {picture.shape[1]}x{picture.shape[0]} px, a JPEG has at most {MOST_SIDE} on a side",
            "leave the picture out, or --draw",
        )
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(picture[:, :, ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 92])
    assert done, "uint8 pictures of three channels can always be encoded"
    write_atomic(path, lambda temporary: temporary.write_bytes(data.tobytes()))


def _fixed(points: Floats) -> list[tuple[int, int]]:
    # Far-off predictions must not overflow OpenCV's 32-bit coordinates.
    places = np.clip(np.round(points * 2**SHIFT), -(2**26), 2**26).astype(int)
    return [(int(x), int(y)) for x, y in places]
