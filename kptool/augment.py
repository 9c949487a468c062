"""Random changes to training images: first the numbers are drawn, then they are applied.

`sample` is a function of a numpy generator alone, so the same numbers serve any device, and a batch's numbers do not
depend on how it is computed. All geometry is one affine map and one resample.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from kptool.config import AugmentOptions
from kptool.geometry import Affine, Bytes, Floats, about, centre_of, mirror, rotate, scale, shift, warp, warp_tensor
from kptool.schema import Schema, mirror_points

Singles = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Numbers:
    """What is done to each of B images.

    Attributes:
        to_model: B maps from the frame to the model's frame.
        gain: (B,) contrast about the image's own mean.
        lift: (B,) added brightness, in grey levels of 255.
    """

    to_model: Affine
    gain: Singles
    lift: Singles

    def after(self, first: Affine) -> Numbers:
        """The same changes to images that `first` brings into the frame these were drawn for."""
        return replace(self, to_model=first.then(self.to_model))


def sample(generator: np.random.Generator, count: int, size: tuple[int, int], options: AugmentOptions) -> Numbers:
    """Draw the numbers for `count` images of (W, H). Scale and stretch are log-uniform: growing and shrinking alike."""

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
    return Numbers(to_model, gain, (255 * either(options.brightness)).astype(np.float32))


def apply_points(points: Floats, numbers: Numbers, schema: Schema) -> Floats:
    """Points (B, K, 2) of the frame, in the model's frame; flipped images have their points renamed."""
    moved = numbers.to_model(points)
    flips = numbers.to_model.mirrors
    if flips.any():
        moved[flips] = mirror_points(moved[flips], schema)
    return moved


def apply_images(images: Bytes, numbers: Numbers, size: tuple[int, int]) -> torch.Tensor:
    """Images (B, C, H, W) uint8 warped on the CPU by OpenCV, float32 0 to 255."""
    return adjust(torch.from_numpy(warp(images, numbers.to_model, size)).float(), numbers)


def apply_tensor(images: torch.Tensor, numbers: Numbers, size: tuple[int, int]) -> torch.Tensor:
    """`apply_images` on the tensor's own device."""
    return adjust(warp_tensor(images, numbers.to_model, size), numbers)


def adjust(images: torch.Tensor, numbers: Numbers) -> torch.Tensor:
    """Contrast about each image's own mean, then brightness, kept within 0 to 255."""
    gain, lift = (torch.from_numpy(v).to(images.device).view(-1, 1, 1, 1) for v in (numbers.gain, numbers.lift))
    mean = images.mean((1, 2, 3), keepdim=True)
    return ((images - mean) * gain + (mean + lift)).clamp(0, 255)
