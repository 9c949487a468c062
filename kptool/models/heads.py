"""Heads: what turns a backbone's features into points. A head owns decoding and the loss together.

The contract of every head:

    raw = head(features)                      features (B, F, h, w) -> a tensor only this head can read
    points, spread = head.decode(raw, scheme) (B, K, 2) and (B, K), px of the model's frame; spread NaN where unknown
    loss = head.loss(raw, points, scheme, …)  a scalar; NaN points add exactly nothing

`scheme` (B,) picks one of S sets of outputs; with S = 1 it is ignored. Outputs of other schemes get no gradient.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from kptool.geometry import Affine, resize
from kptool.losses import Loss, masked_loss


class Head(nn.Module):
    """What all heads share: sizes, the choice of a scheme, the loss on decoded points."""

    def __init__(self, points: int, schemes: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.points, self.schemes, self.size = points, schemes, size

    def pick(self, raw: torch.Tensor, scheme: torch.Tensor) -> torch.Tensor:
        """(B, S, K, …) -> (B, K, …), each image's own scheme."""
        if self.schemes == 1:
            return raw[:, 0]
        return raw[torch.arange(len(raw), device=raw.device), scheme]

    def decode(self, raw: torch.Tensor, scheme: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Points (B, K, 2) and spread (B, K) in px of the model's frame."""
        raise NotImplementedError

    def loss(
        self, raw: torch.Tensor, points: torch.Tensor, scheme: torch.Tensor, kind: Loss, scale: float
    ) -> torch.Tensor:
        """The masked loss of the decoded points against (B, K, 2) px, NaN = not labelled."""
        return masked_loss(self.decode(raw, scheme)[0], points, kind, scale)


class SoftArgmax(Head):
    """Expected position under a softmax over each point's map (Sun et al. 2018, arXiv 1711.08229; DSNT 1801.07372).

    Cells stand where the backbone's stride puts them, stretched by `reach` about the middle, so that a point on the
    image's edge, or a little outside, is still an average of cells.
    """

    def __init__(
        self,
        features: int,
        points: int,
        schemes: int,
        size: tuple[int, int],
        cells: tuple[int, int],
        reach: float = 1.2,
    ) -> None:
        super().__init__(points, schemes, size)
        self.maps = nn.Conv2d(features, schemes * points, 1)
        to_pixels = resize(cells, size)
        self.register_buffer("xs", _cell_centres(to_pixels, cells[0], 0, size[0], reach), persistent=False)
        self.register_buffer("ys", _cell_centres(to_pixels, cells[1], 1, size[1], reach), persistent=False)

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
        return torch.stack([x, y], -1), (variance / 2).clamp(min=0).sqrt()


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


def _cell_centres(to_pixels: Affine, count: int, axis: int, side: int, reach: float) -> torch.Tensor:
    cells = torch.arange(count, dtype=torch.float64)
    line = torch.stack([cells, cells], -1).numpy()
    centres = torch.from_numpy(to_pixels(line)[:, axis])
    middle = (side - 1) / 2
    return ((centres - middle) * reach + middle).float()
