"""A backbone's levels as one map that lies over the whole image, whatever their strides and the image's sides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import nn

from kptool.geometry import resize, shift, warp_tensor

Sides = tuple[int, int]  # W, H or w, h


class Padding(NamedTuple):
    """Pixels that repeat an image's border, in the order that torch wants them."""

    left: int = 0
    right: int = 0
    top: int = 0
    bottom: int = 0

    def grown(self, size: Sides) -> Sides:
        """(W, H) with the padding."""
        return size[0] + self.left + self.right, size[1] + self.top + self.bottom


NO_PADDING = Padding()


def padding_to(multiple: int, size: Sides) -> Padding:
    """What makes both sides of (W, H) multiples of `multiple`, split evenly, an odd pixel at the right and bottom."""
    across, down = (-side % multiple for side in size)
    return Padding(across // 2, across - across // 2, down // 2, down - down // 2)


class Pad(nn.Module):
    """Repeats an image's border, for networks that want other sides than the image has."""

    def __init__(self, padding: Padding) -> None:
        super().__init__()
        self.padding = padding

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) float, larger by the padding."""
        return F.pad(images, self.padding, mode="replicate") if any(self.padding) else images


class Pyramid(nn.Module):
    """Levels of a backbone summed at the finest of them.

    The feature pyramid of Lin et al. 2017 (arXiv 1612.03144), with one 1×1 convolution a level.

    The map that comes out has ⌈W/s⌉ × ⌈H/s⌉ cells, s the finest stride, and they divide the image evenly, which is
    what heads take for granted (`geometry.resize` from cells to pixels). A level of stride t has cells of t pixels,
    so where t does not divide a side its last cells reach beyond the image: such a level is resampled to where its
    cells are. Where t divides both sides, the coarser level's cells are repeated.

    Args:
        levels: images -> maps, each (B, C, h, w) or (B, h, w, C).
        channels: C of each.
        strides: pixels a cell of each.
        padding: what the images get before the levels see them.
        last: whether the maps have their channels last, as some transformers' do.
        trimmed: whether cells may end before the image does, as after convolutions without padding; such a level is
            taken to lie in the image's middle.
        features: F, channels that come out.
    """

    def __init__(
        self,
        levels: nn.Module,
        channels: Sequence[int],
        strides: Sequence[int],
        padding: Padding = NO_PADDING,
        last: bool = False,
        trimmed: bool = False,
        features: int = 128,
    ) -> None:
        super().__init__()
        self.levels, self.strides = levels, tuple(strides)
        self.pad, self.last, self.trimmed = Pad(padding), last, trimmed
        self.lateral = nn.ModuleList(nn.Conv2d(c, features, 1, bias=False) for c in channels)
        self.join = nn.Sequential(
            nn.BatchNorm2d(features), nn.ReLU(), nn.Conv2d(features, features, 3, padding=1, bias=False),
            nn.BatchNorm2d(features), nn.ReLU(),
        )  # fmt: skip

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, F, ⌈H/s⌉, ⌈W/s⌉).

        Raises:
            ValueError: a level's cells end before the image does and it is not `trimmed`.
        """
        levels = self.levels(self.pad(images))
        if self.last:
            levels = [level.permute(0, 3, 1, 2) for level in levels]
        height, width = images.shape[-2:]
        maps = [
            self._over(lateral(level), stride, (width, height))
            for lateral, level, stride in zip(self.lateral, levels, self.strides, strict=True)
        ]
        return cast(torch.Tensor, self.join(reduce(torch.add, maps)))

    def _over(self, level: torch.Tensor, stride: int, size: Sides) -> torch.Tensor:
        """A level on the cells that divide an image of `size` evenly."""
        finest = min(self.strides)
        cells = math.ceil(size[0] / finest), math.ceil(size[1] / finest)
        height, width = level.shape[-2:]
        covered, padding = (width * stride, height * stride), self.pad.padding
        if covered == size:
            return F.interpolate(level, size=cells[::-1], mode="nearest")
        wanted = padding.grown(size)
        missing = max(wanted[0] - covered[0], 0), max(wanted[1] - covered[1], 0)
        if any(missing) and not self.trimmed:
            raise ValueError(f"its maps of stride {stride} leave out an edge")
        into = shift(missing[0] / 2 - padding.left, missing[1] / 2 - padding.top)
        to_image = resize((width, height), covered).then(into)
        return warp_tensor(level, to_image.then(resize(size, cells)), cells)
