"""Histograms of oriented gradients of grey crops, as a torch module without parameters."""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn


class Hog(nn.Module):
    """Histograms of oriented gradients (Dalal & Triggs 2005): (B, 1, H, W) -> (B, bins · (H // cell) · (W // cell)).

    Signed orientations, each gradient shared between the two nearest bins. A cell is divided by its 3 × 3
    neighbourhood's mean energy, then by its own sum, and rooted (Hellinger's kernel; Arandjelović & Zisserman 2012),
    so that a cosine of descriptors compares distributions of orientations.

    Args:
        cell: px of a cell's side; what no whole cell covers, at the right and bottom, is left out.
        bins: orientations over the full turn.
    """

    def __init__(self, cell: int = 8, bins: int = 16) -> None:
        super().__init__()
        self.cell, self.bins = cell, bins
        self.register_buffer("orientations", torch.arange(bins).view(1, bins, 1, 1).float(), persistent=False)

    def length(self, size: tuple[int, int]) -> int:
        """Numbers that images of (W, H) are told by."""
        return self.bins * (size[0] // self.cell) * (size[1] // self.cell)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images of any range; the descriptor does not depend on their brightness, and hardly on their contrast."""
        with torch.autocast(images.device.type, enabled=False):
            images = images.float()
            across = F.pad(images[..., 2:] - images[..., :-2], (1, 1, 0, 0))
            down = F.pad(images[..., 2:, :] - images[..., :-2, :], (0, 0, 1, 1))
            angle = torch.atan2(down, across) * (self.bins / (2 * math.pi))
            away = (angle - cast(torch.Tensor, self.orientations) + self.bins / 2).remainder(self.bins) - self.bins / 2
            votes = (across.square() + down.square()).sqrt() * (1 - away.abs()).clamp_min(0)
            cells = F.avg_pool2d(votes, self.cell)
            energy = cells.sum(1, keepdim=True)
            around = F.avg_pool2d(F.pad(energy, (1, 1, 1, 1), mode="replicate"), 3, 1)
            level = energy.mean((1, 2, 3), keepdim=True).clamp_min(1e-12)
            cells = cells / (around + 0.05 * level)
            # The half keeps a flat cell's noise from being blown up to a whole distribution.
            return (cells / (0.5 * cells.sum(1, keepdim=True) + 0.5)).sqrt().flatten(1)
