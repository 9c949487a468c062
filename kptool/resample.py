"""Cutting a frame out of a picture: averaged where it shrinks, so that no fine pattern turns into a coarse one."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from kptool.geometry import Affine, Bytes, resize, shift

RIM = 2
"""px of picture kept around what a frame shows, so that its border pixels are those of the picture."""


def cut(pixels: Bytes, to_frame: Affine, frame: tuple[int, int]) -> Bytes:
    """A picture through an affine map, edge pixels repeated outside.

    Args:
        pixels: (H, W, C) uint8.
        to_frame: one map from the picture's pixels to the frame's.
        frame: (W', H') px.

    Returns:
        (C, H', W') uint8. Shrinking averages whole areas first; OpenCV rounds sampled positions to 1/32 px.
    """
    part, offset = _seen(pixels, to_frame, frame)
    rest = shift(*offset).then(to_frame)
    across, down = (float(np.linalg.norm(rest.matrix[:2, axis])) for axis in (0, 1))
    source = part.shape[1], part.shape[0]
    target = max(1, round(source[0] * min(1.0, across))), max(1, round(source[1] * min(1.0, down)))
    if target != source:
        part = np.ascontiguousarray(cv2.resize(part, target, interpolation=cv2.INTER_AREA))
        rest = resize(source, target).inverse().then(rest)
    moved = cv2.warpAffine(part, rest.matrix[:2], frame, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    moved = moved.reshape(frame[1], frame[0], -1)  # OpenCV drops a last axis of one
    return np.ascontiguousarray(np.moveaxis(moved, -1, 0))


def _seen(pixels: Bytes, to_frame: Affine, frame: tuple[int, int]) -> tuple[Bytes, tuple[int, int]]:
    """The part of a picture that a frame shows, and where it starts: a face in a large photo costs a face's work."""
    corners = np.array([[x, y] for x in (-0.5, frame[0] - 0.5) for y in (-0.5, frame[1] - 0.5)])
    back = to_frame.inverse()(corners)
    scale = max(1.0, 1 / max(1e-9, float(np.sqrt(abs(np.linalg.det(to_frame.matrix[:2, :2]))))))
    low = np.floor(back.min(0) - RIM * scale).astype(int)
    high = np.ceil(back.max(0) + RIM * scale).astype(int) + 1
    size = np.array([pixels.shape[1], pixels.shape[0]])
    low, high = np.clip(low, 0, size - 1), np.clip(high, 1, size)
    high = np.maximum(high, low + 1)
    part: npt.NDArray[np.uint8] = pixels[low[1] : high[1], low[0] : high[0]]
    return part, (int(low[0]), int(low[1]))
