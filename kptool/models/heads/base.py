"""Heads: what turns a backbone's features into points. A head owns encoding, decoding and the loss together.

The contract of every head:

    raw = head(features)                      features (B, F, h, w) -> a tensor only this head can read
    points, spread = head.decode(raw, scheme) (B, K, 2) and (B, K), px of the model's frame; spread NaN where unknown
    loss = head.loss(raw, points, scheme, …)  a scalar; NaN points add exactly nothing

`scheme` (B,) picks one of S sets of outputs; with S = 1 it is ignored. Outputs of other schemes get no gradient.
Heads whose labels are maps or lines have `encode` too; a loss passes gradients on to the points, through which a
network learns its `label_shift`. All arithmetic on coordinates is float32, also inside autocast.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from kptool.config import Loss
from kptool.losses import NLL, masked_loss

POINT_LOSSES: tuple[Loss, ...] = ("smooth-l1", "mse", "l1", "wing", *NLL)


class Head(nn.Module):
    """What all heads share: sizes, the choice of a scheme, the loss on decoded points.

    Attributes:
        losses: those it knows; the first is what "auto" means.
        likely: it is trained with one of the nll losses, and its spread with it.
    """

    losses: ClassVar[tuple[Loss, ...]] = POINT_LOSSES
    likely: bool = False

    def __init__(self, points: int, schemes: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.points, self.schemes, self.size = points, schemes, size

    def pick(self, raw: torch.Tensor, scheme: torch.Tensor) -> torch.Tensor:
        """(B, S, K, …) -> (B, K, …), each image's own scheme."""
        if self.schemes == 1:
            return raw[:, 0]
        return raw[torch.arange(len(raw), device=raw.device), scheme]

    def known(self, kind: Loss) -> Loss:
        """The loss itself where it is "auto"."""
        kind = self.losses[0] if kind == "auto" else kind
        assert kind in self.losses, (type(self).__name__, kind)
        return kind

    def decode(self, raw: torch.Tensor, scheme: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Points (B, K, 2) and spread (B, K) in px of the model's frame."""
        raise NotImplementedError

    def loss(
        self, raw: torch.Tensor, points: torch.Tensor, scheme: torch.Tensor, kind: Loss, scale: float
    ) -> torch.Tensor:
        """The masked loss of the decoded points against (B, K, 2) px, NaN = not labelled."""
        kind = self.known(kind)
        assert self.likely or kind not in NLL, "the head was not built for an nll"
        found, spread = self.decode(raw, scheme)
        return masked_loss(found, points, kind, scale, spread=spread)
