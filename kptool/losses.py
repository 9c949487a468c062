"""Masked point losses.

One convention for what is not labelled: NaN. The loss is Σ w·ℓ(where(m, pred - true, 0)) / Σ w over coordinates, so
that whatever stands behind a missing label (NaN, ±1e9) leaves the loss and its gradient bit-identical, and a batch
with nothing labelled has loss 0 and finite, zero gradients.
"""

from __future__ import annotations

import math

import torch

from kptool.config import Loss


def elementwise(difference: torch.Tensor, kind: Loss, scale: float) -> torch.Tensor:
    """The loss of each coordinate's difference in px.

    Args:
        difference: prediction minus truth, any shape.
        kind: "mse" d²; "l1" |d|; "smooth-l1" d²/2s below s, |d| - s/2 above (Girshick 2015, arXiv 1504.08083);
            "wing" w·ln(1 + |d|/ε) below w = 5s, |d| - C above, ε = s (Feng et al. 2018, arXiv 1711.06753, eq. 5).
        scale: s, in px.
    """
    size = difference.abs()
    if kind == "mse":
        return difference.square()
    if kind == "l1":
        return size
    if kind == "smooth-l1":
        return torch.where(size < scale, difference.square() / (2 * scale), size - scale / 2)
    width = 5 * scale
    offset = width - width * math.log1p(width / scale)
    return torch.where(size < width, width * torch.log1p(size / scale), size - offset)


def masked_loss(
    predicted: torch.Tensor, points: torch.Tensor, kind: Loss, scale: float = 1.0, weight: torch.Tensor | None = None
) -> torch.Tensor:
    """Mean loss over the labelled coordinates.

    Args:
        predicted: (B, K, 2) px.
        points: (B, K, 2) px; NaN (in either coordinate) = not labelled. Infinite labels count as not labelled too.
        kind: see `elementwise`.
        scale: px, see `elementwise`.
        weight: (B, K) non-negative, or None for 1; must be finite, also where nothing is labelled.

    Returns:
        A scalar; exactly 0, with zero gradients, where nothing is labelled.
    """
    mask = torch.isfinite(points).all(-1, keepdim=True).expand_as(points)
    # Both sides are replaced before they meet: 0·NaN would be NaN, in the gradient too.
    zero = torch.zeros((), dtype=predicted.dtype, device=predicted.device)
    difference = torch.where(mask, predicted - torch.where(mask, points, zero), zero)
    each = elementwise(difference, kind, scale)
    if weight is None:
        total = mask.sum().to(each.dtype)
        return each.sum() / total.clamp(min=1)
    spread_weight = torch.where(mask, weight.unsqueeze(-1).to(each.dtype), zero)
    total = spread_weight.sum()
    return (each * spread_weight).sum() / torch.where(total > 0, total, torch.ones_like(total))
