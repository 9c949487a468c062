"""Random changes to training images: first the numbers are drawn, then they are applied.

`sample` is a function of a numpy generator alone, so the same numbers serve any device, and a batch's numbers do not
depend on how it is computed. All geometry is one affine map and one resample; frequencies and brightness come after.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt
import torch

from kptool.config import AugmentOptions
from kptool.dataset import Mask
from kptool.errors import UsageError
from kptool.geometry import (
    Affine,
    Bytes,
    Floats,
    about,
    centre_of,
    crop_resize,
    mirror,
    rotate,
    scale,
    shear,
    shift,
    warp,
    warp_tensor,
)
from kptool.schema import Schema, mirror_points

Singles = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Pass:
    """Which of B images lose frequencies of their cosine transform.

    Attributes:
        chosen: (B,) True where an image does.
        window: how many of the lowest frequencies along each side are meant.
    """

    chosen: Mask
    window: int


@dataclass(frozen=True)
class Numbers:
    """What is done to each of B images.

    Attributes:
        to_model: B maps from the frame to the model's frame.
        gain: (B,) contrast about the image's own mean.
        lift: (B,) added brightness, in grey levels of 255.
        high_pass: whose lowest frequencies go, all but the mean; None = nobody's.
        low_pass: whose lowest frequencies alone stay; None = nobody's.
    """

    to_model: Affine
    gain: Singles
    lift: Singles
    high_pass: Pass | None = None
    low_pass: Pass | None = None

    def after(self, first: Affine) -> Numbers:
        """The same changes to images that `first` brings into the frame these were drawn for."""
        return replace(self, to_model=first.then(self.to_model))


def sample(generator: np.random.Generator, count: int, size: tuple[int, int], options: AugmentOptions) -> Numbers:
    """Draw the numbers for `count` images of (W, H). Scale and stretch are log-uniform: growing and shrinking alike.

    A crop comes before the rest of the geometry, so that turns and shifts keep their ranges in the model's frame. A
    shear comes after it, about the frame's middle, so that it leans by no more than its range.

    Raises:
        UsageError: the passes leave nothing of an image.
    """

    def either(limit: float) -> Floats:
        return generator.uniform(-limit, limit, count)

    turn = rotate(either(options.rotate))
    grow, stretch = np.exp(either(np.log1p(options.scale))), np.exp(either(np.log1p(options.stretch)))
    move = shift(either(options.shift) * size[0], either(options.shift) * size[1])
    flips = generator.random(count) < options.mirror
    flip = np.where(flips[:, None, None], mirror(size[0]).matrix, np.eye(3))
    inner = turn.then(scale(grow * stretch, grow / stretch))
    to_model = Affine(flip).then(about(centre_of(size), inner)).then(move)
    gain = (1 + either(options.contrast)).astype(np.float32)
    lift = (255 * either(options.brightness)).astype(np.float32)
    # Drawn last, and only where they are asked for: the numbers above are those of recipes that know nothing of these.
    if options.crop > 0:
        to_model = _cropping(generator.uniform(0, options.crop, (count, 4)), size).then(to_model)
    _refuse_blank(options, size)
    high, low = (
        Pass(generator.random(count) < chance, window) if chance > 0 else None
        for chance, window in (
            (options.high_pass, options.high_pass_window),
            (options.low_pass, options.low_pass_window),
        )
    )
    if options.shear > 0:
        to_model = to_model.then(about(centre_of(size), shear(either(options.shear))))
    return Numbers(to_model, gain, lift, high, low)


def _cropping(cut: Floats, size: tuple[int, int]) -> Affine:
    """The maps that stretch what is left to (W, H), after cuts (B, 4) left, top, right, bottom as fractions of it."""
    sides = np.tile(np.asarray(size, dtype=np.float64), 2)
    left, top, right, bottom = (cut * sides).T
    boxes = np.stack([left, top, size[0] - left - right, size[1] - top - bottom], -1)
    return crop_resize(boxes, size)


def _refuse_blank(options: AugmentOptions, size: tuple[int, int]) -> None:
    """Raise UsageError for passes after which only the mean is left of an image of (W, H)."""
    high, low = options.high_pass_window, options.low_pass_window
    if options.high_pass > 0 and high >= max(size):
        raise UsageError(
            f"augment.high_pass_window = {high} takes everything out of images of {size[0]}x{size[1]} px",
            "set a smaller one",
        )
    if options.low_pass > 0 and low <= (high if options.high_pass > 0 else 1):
        raise UsageError(
            f"augment.low_pass_window = {low} keeps nothing but the mean"
            + (f" of what high_pass_window = {high} leaves" if options.high_pass > 0 else ""),
            "set a larger one",
        )


def apply_points(points: Floats, numbers: Numbers, schema: Schema) -> Floats:
    """Points (B, K, 2) of the frame, in the model's frame; flipped images have their points renamed."""
    moved = numbers.to_model(points)
    flips = numbers.to_model.mirrors
    if flips.any():
        moved[flips] = mirror_points(moved[flips], schema)
    return moved


def apply_images(images: Bytes, numbers: Numbers, size: tuple[int, int]) -> torch.Tensor:
    """Images (B, C, H, W) uint8 warped on the CPU by OpenCV, float32 0 to 255."""
    return adjust(filtered(torch.from_numpy(warp(images, numbers.to_model, size)).float(), numbers), numbers)


def apply_tensor(images: torch.Tensor, numbers: Numbers, size: tuple[int, int]) -> torch.Tensor:
    """`apply_images` on the tensor's own device."""
    return adjust(filtered(warp_tensor(images, numbers.to_model, size), numbers), numbers)


def filtered(images: torch.Tensor, numbers: Numbers) -> torch.Tensor:
    """Float32 images (B, C, H, W) after high-pass and low-pass, each plane by itself; not clipped."""
    if numbers.high_pass is not None:
        window = numbers.high_pass.window
        images = _change(images, numbers.high_pass, lambda x: x - lowest(x, window) + x.mean((2, 3), keepdim=True))
    if numbers.low_pass is not None:
        window = numbers.low_pass.window
        images = _change(images, numbers.low_pass, lambda x: lowest(x, window))
    return images


def lowest(images: torch.Tensor, window: int) -> torch.Tensor:
    """Float32 images (B, C, H, W) with only the lowest `window` x `window` coefficients of their 2-D DCT.

    DCT-II and its inverse, orthonormal (as scipy.fft.dctn with norm="ortho"), as products with the cosines that stay:
    x -> Dh' Dh x Dw' Dw. A window as large as the image keeps it whole.
    """
    down, across = (torch.from_numpy(_cosines(side, window)).to(images.device) for side in images.shape[2:])
    with torch.autocast(images.device.type, enabled=False):  # which would round both to bf16, a grey level in 255
        coefficients = down @ images @ across.T
        return down.T @ coefficients @ across


@cache
def _cosines(side: int, window: int) -> Singles:
    """(min(window, side), side) the lowest rows of the orthonormal DCT-II matrix."""
    rows, columns = np.arange(min(window, side))[:, None], np.arange(side)
    matrix: Floats = np.sqrt(2 / side) * np.cos(np.pi * rows * (2 * columns + 1) / (2 * side))
    matrix[0] = np.sqrt(1 / side)
    return matrix.astype(np.float32)


def _change(images: torch.Tensor, chosen: Pass, change: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    rows = torch.from_numpy(np.flatnonzero(chosen.chosen)).to(images.device)
    return images.index_copy(0, rows, change(images[rows])) if len(rows) else images


def adjust(images: torch.Tensor, numbers: Numbers) -> torch.Tensor:
    """Contrast about each image's own mean, then brightness, kept within 0 to 255."""
    gain, lift = (torch.from_numpy(v).to(images.device).view(-1, 1, 1, 1) for v in (numbers.gain, numbers.lift))
    mean = images.mean((1, 2, 3), keepdim=True)
    return ((images - mean) * gain + (mean + lift)).clamp(0, 255)
