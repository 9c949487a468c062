"""Finer maps: a backbone's features on a grid two or four times as dense, for a head that reads points from maps."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

# Below this many channels a convolution on a CPU gets no cheaper, and the maps tell less.
FEWEST = 32


class Upsample(nn.Module):
    """(B, F, h, w) -> (B, F', h·times, w·times): each doubling a 1×1 convolution, bilinear resampling and a 3×3 one.

    Xiao et al. 2018 (arXiv 1804.06208) learn the upsampling as three deconvolutions of 256 channels. Here fixed
    resampling is followed by a convolution, as Odena et al. 2016 (https://distill.pub/2016/deconv-checkerboard) advise
    against checkerboards, which would pull a soft-argmax or a peak to every second cell. It also leaves plain kernels,
    so that Muon may have them: no bias, and a norm after each. The 1×1 convolution halves the channels while the
    map is still coarse, so that both doublings cost the same.

    Bilinear resampling with align_corners=False puts fine cell j at (j + 0.5)/2 - 0.5 of the coarse ones, which is
    `geometry.resize`, and a 3×3 kernel is centred on its cell. So nothing drifts, and a head that lays its cells over
    the image with `geometry.resize` needs to know only that there are more of them.

    Attributes:
        features: F', channels that come out: half of F for each doubling, but no fewer than FEWEST (or F).

    Args:
        features: F, channels that go in.
        times: 2 or 4.
    """

    def __init__(self, features: int, times: int) -> None:
        super().__init__()
        assert times in (2, 4), times
        stages, channels = list[nn.Module](), features
        for _ in range(times // 2):
            fewer = max(channels // 2, min(channels, FEWEST))
            stages.append(_Double(channels, fewer))
            channels = fewer
        self.stages = nn.Sequential(*stages)
        self.features = channels

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(B, F, h, w) -> (B, F', h·times, w·times)."""
        return cast(torch.Tensor, self.stages(maps))


class _Double(nn.Module):
    """One doubling."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.fewer = _convolution(inputs, outputs, 1)
        self.fine = _convolution(outputs, outputs, 3)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(B, inputs, h, w) -> (B, outputs, 2h, 2w)."""
        height, width = maps.shape[-2:]
        denser = F.interpolate(self.fewer(maps), size=(2 * height, 2 * width), mode="bilinear", align_corners=False)
        return cast(torch.Tensor, self.fine(denser))


def _convolution(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())
