"""Gradient: how strongly the answered points depend on each part of the image, for heads that read no maps."""

from __future__ import annotations

import numpy as np
import torch

from kptool.models.net import Net
from kptool.saliency.grid import of_pixels

FEW = 8
"""Coordinates up to which every point gets a map of its own."""
PROBES = 16


def count_of(points: int) -> int:
    """How many maps `gradient` makes of K points: K, or 1 for all."""
    return points if 2 * points <= FEW else 1


def gradient(
    net: Net, grid: tuple[int, int], images: torch.Tensor, scheme: torch.Tensor, taught: torch.Tensor
) -> torch.Tensor:
    """(B, K or 1, h, w) 0 to 1, by its own maximum: the root of the mean of ΣJ² over each cell.

    J is d(points)/d(image), px of the model's frame a grey level, in float32, and ΣJ² its squares summed over the
    coordinates of `taught` points and over the channels: the diagonal of JᵀJ. Up to PROBES coordinates take one exact
    backward pass each. For more the diagonal is estimated (Hutchinson 1989, "A stochastic estimator of the trace of
    the influence matrix", Commun. Stat. Simul. 18(3), used entry by entry): with v of independent random ±1, E[vvᵀ]
    is the identity, so

        E[(Jᵀv)ᵢ²] = Σ_cd J_ci J_di E[v_c v_d] = Σ_c J_ci² = (JᵀJ)ᵢᵢ

    and the mean over PROBES such v, the same for every image, stands in for it. The variance of one probe is
    2 Σ_{c≠d} J_ci² J_di², so a cell's estimate has a relative deviation of √(2/PROBES) at most, and its root of half
    that: 0.18. Where a network reads some pixels only at strides, as the 1x1 shortcuts of ResNets do, its gradient has
    their pattern, and so has the map.

    Args:
        grid: (w, h) of the result.
        images: (B, C, H, W) 0 to 255.
        scheme: (B,) each image's own.
        taught: (B, K) bool, the points that count.
    """
    height, width, count = *images.shape[-2:], net.head.points
    vectors = axes(count) if 2 * count <= max(FEW, PROBES) else signs(count, PROBES)
    with torch.enable_grad():
        shown = images.float().requires_grad_()
        points, _ = net.head.decode(net(shown).float(), scheme)
        points = points * taught[..., None]
        pixels = torch.stack([energy(points, shown, some) for some in vectors.chunk(count_of(count))], 1)
    across, down = (
        torch.from_numpy(of_pixels(side, cells)).to(pixels) for side, cells in zip((width, height), grid, strict=True)
    )
    strength = (down @ pixels @ across.T).sqrt()
    return strength / strength.amax((-2, -1), keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)


def axes(points: int) -> torch.Tensor:
    """(2K, K, 2) a vector a coordinate: Σ(Jᵀv)² over them is exact."""
    return torch.eye(2 * points).view(2 * points, points, 2)


def signs(points: int, count: int) -> torch.Tensor:
    """(count, K, 2) random ±1 over √count, the same at every call: Σ(Jᵀv)² over them is an estimate."""
    drawn = np.random.default_rng(0).choice(np.array([-1.0, 1.0]), (count, points, 2))
    return torch.from_numpy(drawn / np.sqrt(count)).float()


def energy(points: torch.Tensor, images: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    """(B, H, W) the sum of (Jᵀv)² over vectors v (P, K, 2) and channels.

    Images do not mix in a network that is not trained, so one pass back serves a batch. Parameters get no gradient.

    Args:
        points: (B, K, 2) computed from `images`.
        images: (B, C, H, W) with requires_grad.
    """
    total = torch.zeros_like(images[:, 0])
    for vector in vectors.to(points):
        (back,) = torch.autograd.grad(points, images, vector.expand_as(points), retain_graph=True)
        total += back.square().sum(1)
    return total.detach()
