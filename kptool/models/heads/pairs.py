"""Heads of pairs: how alike two embeddings are, as the logit of "one person"; higher = more alike.

The contract of every head: logits (n,) = head(a, b) of embeddings (n, D). The arithmetic is float32, also inside
autocast, and the same bits come out for (a, b) and for (b, a).
"""

from __future__ import annotations

import math
from typing import ClassVar, Final

import torch
from torch import nn

from kptool.config import Loss
from kptool.pair_losses import cosine

# The optimiser moves a parameter by about its learning rate a step; a shift of several units must be within its reach.
SHIFT_UNIT: Final = 10.0

# Where the cosine head begins: logits of 10·cos, and 0 where the cosine is 0.3.
SCALE: Final = 10.0
LEVEL: Final = 0.3


class PairHead(nn.Module):
    """What all heads of pairs share.

    Attributes:
        losses: those it can be trained with; the first is what "auto" means.
    """

    losses: ClassVar[tuple[Loss, ...]] = ("bce",)

    def known(self, kind: Loss) -> Loss:
        """The loss itself where it is "auto"."""
        kind = self.losses[0] if kind == "auto" else kind
        assert kind in self.losses, (type(self).__name__, kind)
        return kind

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Logits (n,) of embeddings (n, D)."""
        with torch.autocast(a.device.type, enabled=False):
            return self.logits(a.float(), b.float())

    def logits(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """`forward` of float32 embeddings, outside autocast."""
        raise NotImplementedError


class Cosine(PairHead):
    """e^s · cos(a, b) + shift, with s and shift learned by bce; of the other losses the cosine alone learns.

    As for any scale and shift, they move no pair past another: ROC and accuracy are those of the cosine.
    """

    losses: ClassVar[tuple[Loss, ...]] = ("bce", "contrastive", "supcon", "arcface")

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(SCALE)))
        self.shift_units = nn.Parameter(torch.tensor(-SCALE * LEVEL / SHIFT_UNIT))

    def logits(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Cosines, scaled and shifted."""
        return self.log_scale.exp() * cosine(a, b) + SHIFT_UNIT * self.shift_units


class L1(PairHead):
    """w · |a - b| + c (Koch, Zemel & Salakhutdinov 2015, "Siamese neural networks for one-shot image recognition").

    Args:
        length: D.
    """

    def __init__(self, length: int) -> None:
        super().__init__()
        self.linear = nn.Linear(length, 1)

    def logits(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """The weighted differences, summed."""
        weighted: torch.Tensor = self.linear((a - b).abs())
        return weighted[:, 0]
