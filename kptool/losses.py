"""Masked losses: of points, and of maps around points.

One convention for what is not labelled: NaN. The loss is Σ w·ℓ(where(m, pred - true, 0)) / Σ w over coordinates, so
that whatever stands behind a missing label (NaN, ±1e9) leaves the loss and its gradient bit-identical, and a batch
with nothing labelled has loss 0 and finite, zero gradients.
"""

from __future__ import annotations

import math
from typing import Final

import torch

from kptool.config import Loss

# The losses that learn how sure a head is, and so need its spread.
NLL: Final[tuple[Loss, ...]] = ("gaussian-nll", "laplace-nll")

# Added, squared, to every spread that is trained, px: two people who mark the same point differ by more. Without it a
# point that fits by chance would be paid without limit for being sure, and its gradient d/σ² would drown the others.
# A floor in the sum of squares and not a clamp: below a clamp the spread would get no gradient and could not grow back.
LEAST_SPREAD = 0.3

# Adaptive wing's constants as its paper gives them.
ALPHA, OMEGA, EPSILON, THETA = 2.1, 14.0, 1.0, 0.5


def elementwise(difference: torch.Tensor, kind: Loss, scale: float, spread: torch.Tensor | None = None) -> torch.Tensor:
    """The loss of each coordinate's difference in px.

    Args:
        difference: prediction minus truth, any shape.
        kind: "mse" d²; "l1" |d|; "smooth-l1" d²/2s below s, |d| - s/2 above (Girshick 2015, arXiv 1504.08083);
            "wing" w·ln(1 + |d|/ε) below w = 5s, |d| - C above, ε = s (Feng et al. 2018, arXiv 1711.06753, eq. 5);
            "gaussian-nll" and "laplace-nll" see `negative_log_likelihood`.
        scale: s, in px; the two nll have none.
        spread: σ in px, over 0, broadcast to `difference`; of the two nll only.
    """
    size = difference.abs()
    if kind in NLL:
        assert spread is not None
        return negative_log_likelihood(size, kind, spread)
    if kind == "mse":
        return difference.square()
    if kind == "l1":
        return size
    if kind == "smooth-l1":
        return torch.where(size < scale, difference.square() / (2 * scale), size - scale / 2)
    assert kind == "wing", kind
    width = 5 * scale
    offset = width - width * math.log1p(width / scale)
    return torch.where(size < width, width * torch.log1p(size / scale), size - offset)


def negative_log_likelihood(size: torch.Tensor, kind: Loss, spread: torch.Tensor) -> torch.Tensor:
    """-ln p(d) in nats per coordinate, of a distribution about 0 with standard deviation σ.

    "gaussian-nll" ln σ + ½·ln 2π + d²/2σ² (Nix & Weigend 1994, doi 10.1109/ICNN.1994.374138); "laplace-nll"
    ln 2b + |d|/b with b = σ/√2, whose variance 2b² is σ² (Kendall & Gal 2017, arXiv 1703.04977).

    Args:
        size: |d| in px.
        kind: one of the two.
        spread: σ in px, over 0.
    """
    if kind == "gaussian-nll":
        return spread.log() + 0.5 * math.log(2 * math.pi) + 0.5 * (size / spread).square()
    width = spread / math.sqrt(2)
    return (2 * width).log() + size / width


def masked_loss(
    predicted: torch.Tensor,
    points: torch.Tensor,
    kind: Loss,
    scale: float = 1.0,
    weight: torch.Tensor | None = None,
    spread: torch.Tensor | None = None,
) -> torch.Tensor:
    """Mean loss over the labelled coordinates.

    Args:
        predicted: (B, K, 2) px.
        points: (B, K, 2) px; NaN (in either coordinate) = not labelled. Infinite labels count as not labelled too.
        kind: see `elementwise`.
        scale: px, see `elementwise`.
        weight: (B, K) non-negative, or None for 1; must be finite, also where nothing is labelled.
        spread: (B, K) σ of each point's coordinates in px, over 0; of the two nll only.

    Returns:
        A scalar; exactly 0, with zero gradients, where nothing is labelled.
    """
    mask = torch.isfinite(points).all(-1, keepdim=True).expand_as(points)
    # Both sides are replaced before they meet: 0·NaN would be NaN, in the gradient too.
    zero = torch.zeros((), dtype=predicted.dtype, device=predicted.device)
    difference = torch.where(mask, predicted - torch.where(mask, points, zero), zero)
    sigma = None if kind not in NLL or spread is None else torch.where(mask, spread.unsqueeze(-1), zero + 1)
    each = elementwise(difference, kind, scale, sigma)
    if weight is None:
        return masked_mean(each, mask)
    spread_weight = torch.where(mask, weight.unsqueeze(-1).to(each.dtype), zero)
    total = spread_weight.sum()
    return (each * spread_weight).sum() / torch.where(total > 0, total, torch.ones_like(total))


def masked_mean(each: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The mean of `each` where `mask` is set, both of one shape; exactly 0 where nothing is. `each` must be finite."""
    total = mask.sum().to(each.dtype)
    return torch.where(mask, each, torch.zeros_like(each)).sum() / total.clamp(min=1)


def adaptive_wing(difference: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Adaptive wing of each cell of a map (Wang et al. 2019, arXiv 1904.07399).

    ω·ln(1 + |d/ε|^(α-y)) below θ, A·|d| - C above, with A and C such that value and slope are continuous there. Where
    the target y is near 1 it pulls hard down to small differences; where it is near 0 it does as d² would.

    Args:
        difference: d, prediction minus target, any shape.
        target: y, 0 to 1, of the same shape.
    """
    size, power = difference.abs(), ALPHA - target
    joint = (THETA / EPSILON) ** power
    slope = OMEGA / (1 + joint) * power * joint / THETA
    offset = THETA * slope - OMEGA * torch.log1p(joint)
    # The branch that is not taken is fed a constant, so that its gradient stays finite.
    near = torch.where(size < THETA, size, THETA)
    return torch.where(size < THETA, OMEGA * torch.log1p((near / EPSILON) ** power), slope * size - offset)
