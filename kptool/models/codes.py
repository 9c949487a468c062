"""Descriptors that give every pixel a code and count the codes in cells: local binary patterns, local phases."""

from __future__ import annotations

import math
from typing import Final, cast

import torch
import torch.nn.functional as F
from torch import nn

UNIFORM: Final = 59  # the 58 circular patterns of at most two changes, and one bin for all others
PHASES: Final = 256
SLACK: Final = 1e-2  # by which a neighbour may be darker: interpolation rounds, and flat places should have one pattern


class Lbp(nn.Module):
    """Uniform local binary patterns (Ojala, Pietikäinen & Mäenpää 2002): which of 8 neighbours are brighter.

    (B, 1, H, W) -> (B, 59 · cells), each cell's histogram rooted (Hellinger's kernel). Neighbours lie on a circle,
    between pixels where they must; pixels nearer to the edge than the radius have no code.

    Args:
        radius: of the circle, px.
        cell: px of a cell's side; what no whole cell covers, at the right and bottom, is left out.
    """

    def __init__(self, radius: int, cell: int) -> None:
        super().__init__()
        self.radius, self.cell = radius, cell
        self.register_buffer("uniform", torch.tensor(_uniform()), persistent=False)

    def length(self, size: tuple[int, int]) -> int:
        """Numbers that images of (W, H) are told by."""
        return UNIFORM * _cells(size, 2 * self.radius, self.cell)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Brightness does not count, and contrast hardly; SLACK is of the images' own unit.

        Of the neighbours on the pixel grid only who is brighter counts; between pixels levels are mixed first.
        """
        grey, r = images[:, 0].float(), self.radius
        middle = grey[:, r : grey.shape[1] - r, r : grey.shape[2] - r]
        codes = torch.zeros_like(middle, dtype=torch.int64)
        for bit in range(8):
            angle = 2 * math.pi * bit / 8
            around = _sampled(grey, r, r * math.cos(angle), -r * math.sin(angle))
            codes += (around >= middle - SLACK).long() << bit
        return histograms(cast(torch.Tensor, self.uniform)[codes], UNIFORM, self.cell)


class Lpq(nn.Module):
    """Local phase quantisation (Ojansivu & Heikkilä 2008): signs of a window's four lowest frequencies.

    (B, 1, H, W) -> (B, 256 · cells), each cell's histogram rooted. Phase outlasts blur, and light as well. A pixel
    without a whole window around it has no code.

    Args:
        window: px of the window's side, odd.
        cell: as of `Lbp`.
    """

    def __init__(self, window: int, cell: int) -> None:
        super().__init__()
        self.window, self.cell = window, cell
        self.register_buffer("waves", _waves(window), persistent=False)
        self.register_buffer("bits", (1 << torch.arange(8)).view(1, 8, 1, 1), persistent=False)

    def length(self, size: tuple[int, int]) -> int:
        """Numbers that images of (W, H) are told by."""
        return PHASES * _cells(size, self.window - 1, self.cell)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images of any range; neither brightness nor contrast counts."""
        with torch.autocast(images.device.type, enabled=False):
            found = F.conv2d(images.float(), cast(torch.Tensor, self.waves))
        codes = ((found > 0).long() * cast(torch.Tensor, self.bits)).sum(1)
        return histograms(codes, PHASES, self.cell)


def histograms(codes: torch.Tensor, bins: int, cell: int) -> torch.Tensor:
    """(B, bins · cells) square roots of the shares that codes (B, H, W), 0 to bins - 1, have of each cell."""
    down, across = codes.shape[1] // cell, codes.shape[2] // cell
    codes = codes[:, : down * cell, : across * cell]
    rows, columns = (torch.arange(n * cell, device=codes.device) // cell for n in (down, across))
    place = codes + bins * (rows[:, None] * across + columns)
    counts = torch.zeros(len(codes), bins * down * across, device=codes.device)
    one = torch.ones((), device=codes.device).expand(place[0].numel()).expand(len(codes), -1)
    return (counts.scatter_add_(1, place.flatten(1), one) / cell**2).sqrt()


def _cells(size: tuple[int, int], lost: int, cell: int) -> int:
    return (max(0, size[0] - lost) // cell) * (max(0, size[1] - lost) // cell)


def _uniform() -> list[int]:
    """The bin of each of 256 patterns."""
    out, taken = [], 0
    for pattern in range(256):
        changes = sum((pattern >> bit & 1) != (pattern >> (bit + 1) % 8 & 1) for bit in range(8))
        out.append(taken if changes <= 2 else UNIFORM - 1)
        taken += changes <= 2
    return out


def _sampled(grey: torch.Tensor, edge: int, dx: float, dy: float) -> torch.Tensor:
    """The grey levels (dx, dy) px away from every pixel that is `edge` px from the border, bilinear."""
    height, width = grey.shape[1:]
    left, top = math.floor(dx + 1e-6), math.floor(dy + 1e-6)
    parts = []
    for x, across in ((left, 1 - (dx - left)), (left + 1, dx - left)):
        for y, down in ((top, 1 - (dy - top)), (top + 1, dy - top)):
            if across * down > 1e-5:  # a neighbour on the pixel grid needs nothing beyond the edge
                window = grey[:, edge + y : height - edge + y, edge + x : width - edge + x]
                parts.append(across * down * window)
    return torch.stack(parts).sum(0)


def _waves(window: int) -> torch.Tensor:
    """(8, 1, window, window) real and imaginary parts of (f, 0), (0, f), (f, f) and (f, -f), f = 1 / window."""
    at = torch.arange(window) - window // 2
    wave = torch.exp(-2j * math.pi * at / window)
    flat = torch.ones(window, dtype=wave.dtype)
    kernels = [
        torch.outer(down, across) for down, across in ((flat, wave), (wave, flat), (wave, wave), (wave, wave.conj()))
    ]
    return torch.stack([part for kernel in kernels for part in (kernel.real, kernel.imag)])[:, None]
