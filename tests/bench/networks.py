"""The three networks of the training benchmark, in the same layers for both sides."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import nn

from kptool.models.heads import Regression
from kptool.models.layers import Flow
from kptool.models.net import Body, Net


class Contest(NamedTuple):
    """What both sides train.

    Attributes:
        name: as the table calls it.
        settings: the recipe's settings, beside the default ones.
        wanted: the ratio asked of kptool.
    """

    name: str
    settings: list[str]
    wanted: float


CONTESTS = {
    "kptiny": Contest("kptiny, batch 64", ["train.batch_size=64"], 3.0),
    "net6": Contest("Net6, batch 128", ["train.batch_size=128", "model.backbone=net6"], 3.0),
    "resnet18": Contest("resnet18, batch 64", ["train.batch_size=64", "model.backbone=resnet18"], 2.2),
}


class Net6(nn.Module):
    """Images (B, 1, 96, 96) -> (B, 500): the old tutorial's Net6 (Nouri 2014) up to its last layer.

    That layer, 500 to 30, is the head's.
    """

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.1),
            nn.Conv2d(32, 64, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.2),
            nn.Conv2d(64, 128, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.3),
        )  # fmt: skip
        self.dense = nn.Sequential(
            nn.Flatten(), nn.Linear(128 * 11 * 11, 500), nn.ReLU(), nn.Dropout(0.5), nn.Linear(500, 500), nn.ReLU()
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return cast(torch.Tensor, self.dense(self.convolutions(images)))


def net6(points: int, schemes: int, size: tuple[int, int]) -> Net:
    """Net6 under kptool's contract."""
    return Net(Body(Net6(), Flow(500, None), [0.5], [0.25]), Regression(500, points, schemes, size))


class Plain(nn.Module):
    """The layers of a kptool Net as the ordinary way calls them: images 0 to 1 in, points in px out.

    Net itself lays its input out channels_last, which the ordinary way does not do.
    """

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.backbone, self.head = net.backbone, net.head
        self.mean, self.std = (
            float(v.mean()) / 255 for v in (cast(torch.Tensor, net.mean), cast(torch.Tensor, net.std))
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 1, H, W) -> (B, K, 2)."""
        raw = self.head(self.backbone((images - self.mean) / self.std))
        only = torch.zeros(len(images), dtype=torch.int64)
        points, _ = self.head.decode(raw, only)
        return points
