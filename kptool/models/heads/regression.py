"""Regression: coordinates straight from pooled or flat features."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import nn

from kptool.losses import LEAST_SPREAD
from kptool.models.heads.base import Head


class Regression(Head):
    """Coordinates straight from pooled features: a linear layer, in half image sides from the image's middle.

    Args:
        features: F of the features (B, F) or (B, F, h, w).
        points: K.
        schemes: S.
        size: (W, H) of the model's frame.
        likely: it is trained with an nll: a second linear layer tells the logarithm of each point's spread.
    """

    def __init__(self, features: int, points: int, schemes: int, size: tuple[int, int], likely: bool = False) -> None:
        super().__init__(points, schemes, size)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(features, schemes * points * 2)
        # Near zero = all points in the middle: the first steps find the mean face instead of undoing a random one.
        nn.init.normal_(self.linear.weight, std=1e-3)
        nn.init.zeros_(self.linear.bias)
        half = torch.tensor([size[0] / 2, size[1] / 2])
        self.register_buffer("half_side", half, persistent=False)
        self.register_buffer("middle", half - 0.5, persistent=False)
        self.likely = likely
        if likely:
            self.sureness = nn.Linear(features, schemes * points)
            nn.init.normal_(self.sureness.weight, std=1e-3)
            nn.init.zeros_(self.sureness.bias)

    @torch.no_grad()
    def start_at(self, shapes: torch.Tensor) -> None:
        """Let the bias alone answer `shapes` (S, K, 2), px of the model's frame; NaN = the middle."""
        middle, half = (cast(torch.Tensor, buffer).cpu() for buffer in (self.middle, self.half_side))
        bias = ((shapes.float() - middle) / half).nan_to_num(0.0)
        self.linear.bias[: bias.numel()] = bias.flatten().to(self.linear.bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Normalised coordinates (B, S, K, 2), and where `likely` a third number, the logarithm of the spread."""
        pooled = features if features.ndim == 2 else self.pool(features).flatten(1)
        # autocast would round coordinates to bf16: a tenth of a pixel at x = 160.
        with torch.autocast(pooled.device.type, enabled=False):
            pooled = pooled.float()
            found = cast(torch.Tensor, self.linear(pooled)).view(-1, self.schemes, self.points, 2)
            if not self.likely:
                return found
            sure = cast(torch.Tensor, self.sureness(pooled)).view(-1, self.schemes, self.points, 1)
            return torch.cat([found, sure], -1)

    def decode(self, raw: torch.Tensor, scheme: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Points in px; a spread, at least LEAST_SPREAD, where trained with an nll, and NaN else."""
        picked = self.pick(raw, scheme).float()
        points = picked[..., :2] * cast(torch.Tensor, self.half_side) + cast(torch.Tensor, self.middle)
        if not self.likely:
            return points, torch.full_like(points[..., 0], torch.nan)
        # An output of 0 is a tenth of the frame: about what faces differ from their mean.
        start = 0.1 * math.sqrt(self.size[0] * self.size[1])
        return points, ((start * picked[..., 2].exp()).square() + LEAST_SPREAD**2).sqrt()
