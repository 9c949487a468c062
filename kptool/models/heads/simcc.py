"""SimCC: a point is two choices, one of many narrow columns and one of many narrow rows."""

from __future__ import annotations

from typing import ClassVar, cast

import torch
from torch import nn

from kptool.config import Loss
from kptool.losses import masked_mean
from kptool.models.heads.base import Head
from kptool.models.heads.places import covered, even_places

# A target narrower than this many bins falls between them.
NARROWEST = 0.7

# Sigmas about the mode that a point is the mean over. What a softmax leaves on all the bins further off would pull
# every point to the middle; much fewer would cut off what the net is in doubt between.
WINDOW = 10.0


class SimCC(Head):
    """Two classifications a point over bins finer than pixels (Li et al. 2022, arXiv 2107.03332).

    A label becomes a Gaussian over the bins of each axis. `decode` takes the mean of what the net believes, within
    WINDOW of the mode. The spread is its deviation, less the width that the targets have themselves.

    The bins go on for a tenth of the frame beyond its edges, and for four sigma at least, so that the target of a point
    at the edge is whole. Labels further out are not trained on.

    Args:
        features: F of the features (B, F, h, w), or (B, F) where there are no cells.
        points: K.
        schemes: S.
        size: (W, H) of the model's frame.
        cells: (w, h), or None: flat features.
        sigma: px of the model's frame; at least NARROWEST bins are taken.
        bins: a px.
    """

    losses: ClassVar[tuple[Loss, ...]] = ("cross-entropy",)

    def __init__(
        self,
        features: int,
        points: int,
        schemes: int,
        size: tuple[int, int],
        cells: tuple[int, int] | None,
        sigma: float,
        bins: float,
    ) -> None:
        super().__init__(points, schemes, size)
        self.sigma = max(sigma, NARROWEST / bins)
        xs, ys = (even_places(side, max(0.1 * side, 4 * self.sigma), bins) for side in size)
        self.register_buffer("xs", xs, persistent=False)
        self.register_buffer("ys", ys, persistent=False)
        if cells is None:
            self.flat = nn.Linear(features, schemes * points * (len(xs) + len(ys)))
        else:
            self.maps = nn.Conv2d(features, schemes * points, 1)
            self.across = nn.Linear(cells[0] * cells[1], len(xs))
            self.down = nn.Linear(cells[0] * cells[1], len(ys))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Logits (B, S, K, bins of x and then of y)."""
        # Inside autocast logits of 16 would be rounded to 1/16.
        with torch.autocast(features.device.type, enabled=False):
            features = features.float()
            if features.ndim == 2:
                logits: torch.Tensor = self.flat(features)
            else:
                maps = self.maps(features).flatten(2)
                logits = torch.cat([self.across(maps), self.down(maps)], -1)
        return logits.view(len(features), self.schemes, self.points, -1)

    def encode(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The distributions (B, K, bins) over x and over y of finite points (B, K, 2)."""
        at = zip(points.unbind(-1), self._places(), strict=True)
        one, other = ((-0.5 * ((places - p[..., None]) / self.sigma).square()).softmax(-1) for p, places in at)
        return one, other

    def decode(self, raw: torch.Tensor, scheme: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and deviation per coordinate of each point's two distributions, about their modes."""
        places = self._places()
        lines = zip(self._lines(raw, scheme), places, strict=True)
        weights = [_windowed(line.softmax(-1), p, WINDOW * self.sigma) for line, p in lines]
        means = [(w * p).sum(-1) for w, p in zip(weights, places, strict=True)]
        x, y = ((w * (p - m[..., None]).square()).sum(-1) for w, p, m in zip(weights, places, means, strict=True))
        return torch.stack(means, -1), ((x + y) / 2 - self.sigma**2).clamp(min=0).sqrt()

    def loss(
        self,
        raw: torch.Tensor,
        points: torch.Tensor,
        scheme: torch.Tensor,
        kind: Loss,
        scale: float,  # noqa: ARG002
    ) -> torch.Tensor:
        """Cross-entropy in nats, the mean over labelled coordinates; at best the entropy of a target, over 0."""
        self.known(kind)
        mask = covered(points, *self._places())
        targets = self.encode(torch.where(mask[..., None], points, torch.zeros_like(points)))
        each = torch.zeros_like(points[..., 0])
        for line, target in zip(self._lines(raw, scheme), targets, strict=True):
            line = torch.where(mask[..., None], line, torch.zeros_like(line))
            each = each - (target * line.log_softmax(-1)).sum(-1) / 2
        return masked_mean(each, mask)

    def _places(self) -> tuple[torch.Tensor, torch.Tensor]:
        return cast(torch.Tensor, self.xs), cast(torch.Tensor, self.ys)

    def _lines(self, raw: torch.Tensor, scheme: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits, across = self.pick(raw, scheme).float(), len(self._places()[0])
        return logits[..., :across], logits[..., across:]


def _windowed(weight: torch.Tensor, places: torch.Tensor, window: float) -> torch.Tensor:
    """Distributions (B, K, bins) with nothing further than `window` px from their modes."""
    mode = places[weight.argmax(-1)]
    near = torch.where((places - mode[..., None]).abs() <= window, weight, torch.zeros_like(weight))
    return near / near.sum(-1, keepdim=True)
