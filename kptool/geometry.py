"""Affine maps between pixel frames, and the only place where half a pixel is written.

The convention, for the whole of kptool: the centre of the first pixel is (0, 0). An image W pixels wide therefore
covers [-0.5, W - 0.5]; resizing is x' = (x + 0.5)·s - 0.5 and mirroring is x' = W - 1 - x. OpenCV's ``warpAffine``
and torch's ``grid_sample(align_corners=False)`` obey it; x' = x·s does not (0.29 px wrong from 96 to 224).

Points are (..., K, 2) arrays of x, y. Names end in their frame: ``points_frame``, ``points_model``. A map named
``to_model`` takes frame coordinates to model coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Affine:
    """A batch of affine maps of the plane.

    Attributes:
        matrix: (..., 3, 3) float64, last row (0, 0, 1); acts on column vectors (x, y, 1).
    """

    matrix: Floats

    def __post_init__(self) -> None:
        matrix = np.asarray(self.matrix, dtype=np.float64)
        assert matrix.shape[-2:] == (3, 3), matrix.shape
        object.__setattr__(self, "matrix", matrix)

    def __call__(self, points: npt.ArrayLike) -> Floats:
        """Map points (..., K, 2); NaN stays NaN. A single map serves any leading shape."""
        points = np.asarray(points, dtype=np.float64)
        linear, offset = self.matrix[..., :2, :2], self.matrix[..., None, :2, 2]
        moved: Floats = points @ np.swapaxes(linear, -1, -2) + offset
        return moved

    def then(self, other: Affine) -> Affine:
        """The map that applies self first, then other."""
        return Affine(other.matrix @ self.matrix)

    def inverse(self) -> Affine:
        """The map back. Raises numpy.linalg.LinAlgError where the map is flat."""
        return Affine(np.linalg.inv(self.matrix).astype(np.float64))

    @property
    def mirrors(self) -> npt.NDArray[np.bool_]:
        """(...) True where the map turns left into right, read from the determinant: a flip needs no flag."""
        return np.asarray(np.linalg.det(self.matrix[..., :2, :2]) < 0)

    def __getitem__(self, index: int | slice | npt.NDArray[np.integer[Any]] | npt.NDArray[np.bool_]) -> Affine:
        return Affine(self.matrix[index])

    def __len__(self) -> int:
        return len(self.matrix)


def linear(a: npt.ArrayLike, b: npt.ArrayLike, c: npt.ArrayLike, d: npt.ArrayLike) -> Affine:
    """The maps x' = a·x + b·y, y' = c·x + d·y, about the origin; the arguments broadcast."""
    a, b, c, d = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (a, b, c, d)))
    matrix = np.zeros((*a.shape, 3, 3))
    matrix[..., 0, 0], matrix[..., 0, 1], matrix[..., 1, 0], matrix[..., 1, 1] = a, b, c, d
    matrix[..., 2, 2] = 1
    return Affine(matrix)


def identity(count: int | None = None) -> Affine:
    """One identity map, or a batch of them."""
    eye = np.eye(3)
    return Affine(eye if count is None else np.broadcast_to(eye, (count, 3, 3)))


def shift(dx: npt.ArrayLike, dy: npt.ArrayLike) -> Affine:
    """Move by (dx, dy) pixels; the arguments broadcast."""
    dx, dy = np.broadcast_arrays(np.asarray(dx, dtype=np.float64), np.asarray(dy, dtype=np.float64))
    moved = linear(np.ones(dx.shape), 0, 0, 1).matrix
    moved[..., 0, 2], moved[..., 1, 2] = dx, dy
    return Affine(moved)


def rotate(degrees: npt.ArrayLike) -> Affine:
    """Turn about the origin; positive turns the x axis towards the y axis, clockwise as the screen shows it."""
    angle = np.radians(np.asarray(degrees, dtype=np.float64))
    return linear(np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle))


def scale(sx: npt.ArrayLike, sy: npt.ArrayLike) -> Affine:
    """Scale about the origin."""
    return linear(sx, 0, 0, sy)


def shear(degrees: npt.ArrayLike) -> Affine:
    """Lean upright lines about the origin, x' = x - y·tan φ: positive moves what is above it to the right.

    Areas stay, and the map back is the one of -φ, as is the map that a mirror image sees.
    """
    return linear(1, -np.tan(np.radians(np.asarray(degrees, dtype=np.float64))), 0, 1)


def about(centre: tuple[float, float], inner: Affine) -> Affine:
    """`inner` applied about a centre instead of the origin."""
    x, y = centre
    return shift(-x, -y).then(inner).then(shift(x, y))


def centre_of(size: tuple[int, int]) -> tuple[float, float]:
    """The middle of an image of (W, H) pixels."""
    return (size[0] - 1) / 2, (size[1] - 1) / 2


def resize(source: tuple[int, int], target: tuple[int, int]) -> Affine:
    """The map of a resize from (W, H) to (W', H'): x' = (x + 0.5)·W'/W - 0.5."""
    grown = scale(target[0] / source[0], target[1] / source[1])
    return about((-0.5, -0.5), grown)


def crop_resize(boxes: npt.ArrayLike, target: tuple[int, int]) -> Affine:
    """The maps that cut boxes out and resize them to (W', H'): x' = (x + 0.5 - left)·W'/width - 0.5.

    Args:
        boxes: (..., 4) left, top, width, height of the pixels covered; they may be fractions and may leave the image.
        target: (W', H') px.
    """
    left, top, width, height = np.moveaxis(np.asarray(boxes, dtype=np.float64), -1, 0)
    grown = scale(target[0] / width, target[1] / height)
    return shift(0.5 - left, 0.5 - top).then(grown).then(shift(-0.5, -0.5))


def mirror(width: int) -> Affine:
    """The map of a left-right flip of an image `width` pixels wide: x' = width - 1 - x."""
    return scale(-1, 1).then(shift(width - 1, 0))


def warp(images: Bytes, to_out: Affine, size: tuple[int, int]) -> Bytes:
    """Resample images on the CPU: out(to_out(p)) = image(p), bilinear, edge pixels repeated outside.

    Args:
        images: (B, C, H, W) uint8.
        to_out: B maps, or one for all.
        size: (W', H') of the output.

    Returns:
        (B, C, H', W') uint8. OpenCV rounds the sampled position to 1/32 px.
    """
    import cv2

    matrices = np.broadcast_to(to_out.matrix, (len(images), 3, 3))[:, :2]
    out = np.empty((len(images), images.shape[1], size[1], size[0]), dtype=np.uint8)
    for image, matrix, target in zip(images, matrices, out, strict=True):
        for plane, result in zip(image, target, strict=True):  # planes, so that C is never interleaved and back
            cv2.warpAffine(plane, matrix, size, dst=result, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return out


def warp_tensor(images: torch.Tensor, to_out: Affine, size: tuple[int, int]) -> torch.Tensor:
    """`warp` on the tensor's own device, for uint8 or float images (B, C, H, W); the result is float32."""
    import torch
    import torch.nn.functional as F

    # grid_sample speaks of the input in [-1, 1], edges at the pixels' outer borders: g = (2x + 1)/W - 1.
    height, width = images.shape[-2:]
    normal_in = about((-0.5, -0.5), scale(2 / width, 2 / height)).then(shift(-0.5, -0.5))
    normal_out = about((-0.5, -0.5), scale(2 / size[0], 2 / size[1])).then(shift(-0.5, -0.5))
    theta = normal_out.inverse().then(to_out.inverse()).then(normal_in).matrix[..., :2, :]
    theta = np.broadcast_to(theta, (len(images), 2, 3)).astype(np.float32)
    # Inside autocast affine_grid's matrix product would round positions to bf16: a third of a pixel at x = 90.
    with torch.autocast(images.device.type, enabled=False):
        shape = [len(images), images.shape[1], size[1], size[0]]
        grid = F.affine_grid(torch.from_numpy(theta).to(images.device), shape, align_corners=False)
        return F.grid_sample(images.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)
