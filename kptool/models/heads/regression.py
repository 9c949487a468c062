"""Regression: coordinates straight from pooled or flat features."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from kptool.models.heads.base import Head


class Regression(Head):
    """Coordinates straight from pooled features: a linear layer, in half image sides from the image's middle."""

    def __init__(self, features: int, points: int, schemes: int, size: tuple[int, int]) -> None:
        super().__init__(points, schemes, size)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(features, schemes * points * 2)
        # Near zero = all points in the middle: the first steps find the mean face instead of undoing a random one.
        nn.init.normal_(self.linear.weight, std=1e-3)
        nn.init.zeros_(self.linear.bias)
        half = torch.tensor([size[0] / 2, size[1] / 2])
        self.register_buffer("half_side", half, persistent=False)
        self.register_buffer("middle", half - 0.5, persistent=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Normalised coordinates (B, S, K, 2)."""
        pooled = features if features.ndim == 2 else self.pool(features).flatten(1)
        # autocast would round coordinates to bf16: a tenth of a pixel at x = 160.
        with torch.autocast(pooled.device.type, enabled=False):
            return cast(torch.Tensor, self.linear(pooled.float())).view(-1, self.schemes, self.points, 2)

    def decode(self, raw: torch.Tensor, scheme: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Points in px; this head has no spread."""
        points = self.pick(raw, scheme).float() * cast(torch.Tensor, self.half_side) + cast(torch.Tensor, self.middle)
        return points, torch.full_like(points[..., 0], torch.nan)
