"""Soft-argmax: a point is the mean of a distribution over a map's cells."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from kptool.losses import LEAST_SPREAD
from kptool.models.heads.base import Head
from kptool.models.heads.places import cell_centres
from kptool.models.layers import Lattice


class SoftArgmax(Head):
    """Expected position under a softmax over each point's map (Sun et al. 2018, arXiv 1711.08229; DSNT 1801.07372).

    Cells stand where the backbone's stride puts them, stretched by `reach` about the middle, so that a point on the
    image's edge, or a little outside, is still an average of cells.

    Args:
        features: F of the features (B, F, h, w).
        points: K.
        schemes: S.
        size: (W, H) of the model's frame.
        cells: (w, h).
        reach: see above.
        lattice: where the cells lie; None = evenly over the frame.
        likely: it is trained with an nll, on the deviation of its maps; LEAST_SPREAD is then part of the spread.
    """

    def __init__(
        self,
        features: int,
        points: int,
        schemes: int,
        size: tuple[int, int],
        cells: tuple[int, int],
        reach: float = 1.2,
        likely: bool = False,
        lattice: Lattice | None = None,
    ) -> None:
        super().__init__(points, schemes, size)
        self.maps = nn.Conv2d(features, schemes * points, 1)
        self.register_buffer("xs", cell_centres(cells, size, 0, reach, lattice), persistent=False)
        self.register_buffer("ys", cell_centres(cells, size, 1, reach, lattice), persistent=False)
        self.likely = likely

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Logits (B, S, K, h, w)."""
        logits: torch.Tensor = self.maps(features)
        return logits.view(len(logits), self.schemes, self.points, *logits.shape[2:])

    def decode(self, raw: torch.Tensor, scheme: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and standard deviation per coordinate of each map's distribution."""
        logits = self.pick(raw, scheme).float()
        weight = logits.flatten(-2).softmax(-1).view_as(logits)
        xs, ys = cast(torch.Tensor, self.xs), cast(torch.Tensor, self.ys)
        across, down = weight.sum(-2), weight.sum(-1)
        # Products and sums, not a matrix product: autocast would round those to bf16, a quarter of a pixel at x = 90.
        x, y = (across * xs).sum(-1), (down * ys).sum(-1)
        variance = (across * xs.square()).sum(-1) - x.square() + (down * ys.square()).sum(-1) - y.square()
        least = LEAST_SPREAD**2 if self.likely else 0.0
        return torch.stack([x, y], -1), ((variance / 2).clamp(min=0) + least).sqrt()
