"""Heatmap: a map per point, trained to be a Gaussian bump where the point is."""

from __future__ import annotations

import math
from typing import ClassVar, cast

import torch
import torch.nn.functional as F
from torch import nn

from kptool.config import Loss
from kptool.losses import adaptive_wing, masked_mean
from kptool.models.heads.base import Head
from kptool.models.heads.places import cell_centres, covered, pitch
from kptool.models.layers import Lattice

# A bump narrower than this many cells falls between them: what is left of it depends on where it falls.
NARROWEST = 0.7

# Adaptive wing weighs cells at or beside those of at least FOREGROUND 1 + HEAVIER times, as its paper does.
FOREGROUND, HEAVIER = 0.2, 10.0

STEPS = 4


class Heatmap(Head):
    """Bumps of height 1 and width sigma (Tompson et al. 2014, arXiv 1406.2984), found again by least squares.

    A label becomes a Gaussian at its own sub-pixel position, sampled at the cells' centres. `decode` begins at the
    highest cell and fits the place and height of such a Gaussian to the map by Gauss-Newton steps. All cells near the
    peak count, and the target of any position decodes to that position.

    A map trained with mse is the mean of its targets under what the net believes. Where that is a Gaussian of deviation
    u, the height that is fitted to it is h = 2σ²/(2σ² + u²). The spread is u from h: a flat map has a large one.

    Labels beyond the outermost cells' ground (the frame's, with a reach of 1) cannot be told by a map and are not
    trained on. The cells are not stretched as in SoftArgmax: a bump belongs where its features are.

    Args:
        features: F of the features (B, F, h, w).
        points: K.
        schemes: S.
        size: (W, H) of the model's frame.
        cells: (w, h).
        sigma: px of the model's frame; at least NARROWEST cells are taken, either way.
        reach: the cells are stretched by this factor about the middle.
        lattice: where the cells lie; None = evenly over the frame. Labels in a border that no cell covers, as
            convolutions without padding leave one, are not learned.
    """

    losses: ClassVar[tuple[Loss, ...]] = ("mse", "adaptive-wing")

    def __init__(
        self,
        features: int,
        points: int,
        schemes: int,
        size: tuple[int, int],
        cells: tuple[int, int],
        sigma: float,
        reach: float = 1.0,
        lattice: Lattice | None = None,
    ) -> None:
        super().__init__(points, schemes, size)
        self.maps = nn.Conv2d(features, schemes * points, 1)
        # Near zero = empty maps: random ones are further from a lone bump than none at all.
        nn.init.normal_(self.maps.weight, std=1e-3)
        nn.init.zeros_(cast(torch.Tensor, self.maps.bias))
        xs, ys = (cell_centres(cells, size, axis, reach, lattice) for axis in (0, 1))
        self.register_buffer("xs", xs, persistent=False)
        self.register_buffer("ys", ys, persistent=False)
        self.pitch = pitch(xs), pitch(ys)
        self.sigma = max(sigma, NARROWEST * self.pitch[0]), max(sigma, NARROWEST * self.pitch[1])
        # Σ over cells of a target's squares, for one well inside.
        self.energy = math.pi * self.sigma[0] * self.sigma[1] / (self.pitch[0] * self.pitch[1])

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Maps (B, S, K, h, w)."""
        # Inside autocast a bump's top would be rounded to 1/256.
        with torch.autocast(features.device.type, enabled=False):
            maps: torch.Tensor = self.maps(features.float())
        return maps.view(len(maps), self.schemes, self.points, *maps.shape[2:])

    def encode(self, points: torch.Tensor) -> torch.Tensor:
        """The maps (B, K, h, w) of finite points (B, K, 2)."""
        (gx, _), (gy, _) = self._bump(points[..., 0], 0), self._bump(points[..., 1], 1)
        return gy[..., :, None] * gx[..., None, :]

    def decode(self, raw: torch.Tensor, scheme: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Place of the bump that fits a map best, and the spread that its height tells."""
        maps = self.pick(raw, scheme).float()
        highest = maps.flatten(-2).argmax(-1)
        xs, ys = cast(torch.Tensor, self.xs), cast(torch.Tensor, self.ys)
        x, y = xs[highest % maps.shape[-1]], ys[highest.div(maps.shape[-1], rounding_mode="floor")]
        from_x, from_y = x, y
        for _ in range(STEPS):
            height, dx, dy = self._fit(maps, x, y)
            # Never further from the highest cell than a cell: there a slope of noise would lead anywhere.
            x = (x + dx).clamp(from_x - self.pitch[0], from_x + self.pitch[0])
            y = (y + dy).clamp(from_y - self.pitch[1], from_y + self.pitch[1])
        height = self._fit(maps, x, y)[0].clamp(1e-3, 1)
        return torch.stack([x, y], -1), (2 * self.sigma[0] * self.sigma[1] * (1 / height - 1)).sqrt()

    def loss(
        self,
        raw: torch.Tensor,
        points: torch.Tensor,
        scheme: torch.Tensor,
        kind: Loss,
        scale: float,  # noqa: ARG002
    ) -> torch.Tensor:
        """Mean over labelled points of a map's summed loss, over what a target's squares sum to.

        So an empty map costs 1 under mse, whatever the number of cells and the width of a bump. A mean over cells, most
        of which are empty in target and map alike, would be hundreds of times smaller, and so would its gradients.
        """
        kind, mask = self.known(kind), covered(points, cast(torch.Tensor, self.xs), cast(torch.Tensor, self.ys))
        maps = self.pick(raw, scheme).float()
        maps = torch.where(mask[..., None, None], maps, torch.zeros_like(maps))
        target = self.encode(torch.where(mask[..., None], points, torch.zeros_like(points)))
        if kind == "mse":
            each = (maps - target).square()
        else:
            near = F.max_pool2d(target.detach(), 3, 1, 1) >= FOREGROUND
            each = adaptive_wing(maps - target, target) * (1 + HEAVIER * near)
        return masked_mean(each.sum((-2, -1)) / self.energy, mask)

    def _bump(self, at: torch.Tensor, axis: int) -> tuple[torch.Tensor, torch.Tensor]:
        """One side of bumps at `at` (B, K), and its change with `at`, both (B, K, cells)."""
        away = cast(torch.Tensor, (self.xs, self.ys)[axis]) - at[..., None]
        bump = (-0.5 * (away / self.sigma[axis]).square()).exp()
        return bump, bump * away / self.sigma[axis] ** 2

    def _fit(self, maps: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """One Gauss-Newton step at (x, y): the height there, and how far the place is from it. All (B, K).

        The map is taken for h·g + h·dx·∂g/∂x + h·dy·∂g/∂y, which is linear in h, h·dx and h·dy.
        """
        (gx, sx), (gy, sy) = self._bump(x, 0), self._bump(y, 1)
        sides = [(gx, gy), (sx, gy), (gx, sy)]
        # Products and sums: autocast would round matrix products to bf16.
        rows = [(maps * a[..., None, :]).sum(-1) for a in (gx, sx)]
        told = torch.stack([(rows[0] * gy).sum(-1), (rows[1] * gy).sum(-1), (rows[0] * sy).sum(-1)], -1)
        normal = torch.stack(
            [torch.stack([(a * c).sum(-1) * (b * d).sum(-1) for c, d in sides], -1) for a, b in sides], -1
        )
        height, by_x, by_y = torch.linalg.solve(normal, told).unbind(-1)
        safe = height.clamp(min=1e-3)
        return height, by_x / safe, by_y / safe
