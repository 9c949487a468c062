"""kptiny: the project's own small net, made to learn fast on few small images and few cores.

Dense 3×3 convolutions, which are what bf16 units are fast at, at an eighth of the side; half of the work at a
sixteenth, added back, so that a point sees the whole face. Every convolution but the head's is followed by a batch
norm, so that Muon may have it.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

from kptool.models.layers import Lattice


class Kptiny(nn.Module):
    """(B, C, H, W) -> (B, 4·width, h, w), h and w as `cells` tells, a stride of about 8."""

    smallest = 32
    lattice = Lattice((3.5, 3.5), (8.0, 8.0))  # of sides of any length: what no cell covers is at the right and bottom

    def __init__(self, channels: int, width: int = 32) -> None:
        super().__init__()
        self.features = 4 * width
        self.stem = nn.Sequential(
            nn.Conv2d(channels, width // 2, 4, stride=2, padding=1, bias=False), *_pooled(width // 2)
        )
        self.eighth = nn.Sequential(
            nn.Conv2d(width // 2, 2 * width, 3, padding=1, bias=False), *_pooled(2 * width),
            *_block(2 * width, 2 * width), *_block(2 * width, 4 * width),
        )  # fmt: skip
        self.context = nn.Sequential(
            nn.MaxPool2d(2), *_block(4 * width, 4 * width), *_block(4 * width, 4 * width)[:2]
        )  # fmt: skip

    def cells(self, size: tuple[int, int]) -> tuple[int, int]:
        """(w, h) of the features of (W, H) images: each halving drops an odd last pixel."""
        return cast(tuple[int, int], tuple(side // 2 // 2 // 2 for side in size))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Features at a stride of 8."""
        near = self.eighth(self.stem(images))
        wide = F.interpolate(self.context(near), size=near.shape[-2:], mode="nearest")
        return F.relu(near + wide)


def _block(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]


def _pooled(channels: int) -> list[nn.Module]:
    return [nn.MaxPool2d(2), nn.BatchNorm2d(channels), nn.ReLU()]
