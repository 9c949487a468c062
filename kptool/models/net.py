"""A network as the engine sees it: bytes in, a head's raw output out. Normalisation lives in here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import nn

from kptool.config import Loss, ModelOptions
from kptool.errors import UsageError
from kptool.models.heads import Head, Regression, SoftArgmax
from kptool.models.kptiny import Kptiny
from kptool.models.layers import make_layers
from kptool.models.timm_backbone import make_timm

# Rec. 601 luma, what OpenCV's and Pillow's grey conversions use.
LUMA = (0.299, 0.587, 0.114)

# Mean and standard deviation that our own networks take the pixels for, as fractions of white.
GREY = 0.47, 0.25


# The optimiser moves a parameter by about its learning rate a step; a shift of a pixel must be in reach of a short run.
SHIFT_UNIT = 10.0


class Net(nn.Module):
    """backbone + head, with the pixels' scaling and the number of channels settled at the door.

    Labels are often placed with a left-right habit: counted from a pixel's corner, or after a resize that forgot its
    half pixel. In a mirrored picture the habit would point the other way, so a model trained on both ends between the
    two and is wrong in each. `label_shift` is that habit, one x offset in px per scheme, learned with the weights: what
    mirroring turns around is the face, not the habit.
    """

    def __init__(self, backbone: nn.Module, head: Head, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.backbone, self.head = backbone, head
        self.channels = len(mean)
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1) * 255, persistent=False)
        self.shift_units = nn.Parameter(torch.zeros(head.schemes))
        self.register_buffer("luma", torch.tensor(LUMA).view(1, 3, 1, 1), persistent=False)

    def label_shift(self, scheme: torch.Tensor) -> torch.Tensor:
        """(B, 2) px: what to add to a found point to get the point as its scheme (B,) labels it."""
        x = SHIFT_UNIT * (self.shift_units[scheme] if self.head.schemes > 1 else self.shift_units.expand(len(scheme)))
        return torch.stack([x, torch.zeros_like(x)], -1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (B, C, H, W), any dtype, 0 to 255, C 1 or 3 whatever the backbone takes -> the head's raw output."""
        images = images.float()
        if images.shape[1] != self.channels:
            grey = images.shape[1] == 1
            images = images.expand(-1, 3, -1, -1) if grey else (images * cast(torch.Tensor, self.luma)).sum(1, True)
        scaled = (images - cast(torch.Tensor, self.mean)) / cast(torch.Tensor, self.std)
        raw: torch.Tensor = self.head(self.backbone(scaled.contiguous(memory_format=torch.channels_last)))
        return raw


def build(options: ModelOptions, points: int, schemes: int, size: tuple[int, int], loss: Loss = "auto") -> Net:
    """The network of a recipe, freshly initialised from torch's global generator.

    Args:
        options: the recipe's [model].
        points: K.
        schemes: S sets of outputs.
        size: (W, H) of the model's frame.
        loss: what it will be trained with; some need outputs of their own.

    Raises:
        UsageError: an unknown backbone or layer, a head that does not fit it, or weights that do not.
    """
    if options.backbone == "layers":
        return _build_layers(options, points, schemes, size)
    if options.layers:
        raise UsageError(
            f"model.layers is given, but model.backbone is '{options.backbone}'",
            "set model.backbone to layers, or leave model.layers out",
        )
    if options.backbone == "kptiny":
        return _build_kptiny(options, points, schemes, size)
    maps = options.head == "soft-argmax"
    made = make_timm(options, maps, size)
    head: Head
    if maps:
        head = SoftArgmax(made.features[1], points, schemes, size, (made.features[3], made.features[2]))
    else:
        head = Regression(made.features[1], points, schemes, size)
    return Net(made.module, head, made.mean, made.std)


def _build_kptiny(options: ModelOptions, points: int, schemes: int, size: tuple[int, int]) -> Net:
    _refuse_weights(options)
    if min(size) < Kptiny.smallest:
        raise UsageError(
            f"kptiny needs images of at least {Kptiny.smallest} px, these are {size[0]}x{size[1]}", "resize"
        )
    backbone = Kptiny(options.channels, options.width)
    head: Head
    if options.head == "regression":
        head = Regression(backbone.features, points, schemes, size)
    else:
        head = SoftArgmax(backbone.features, points, schemes, size, backbone.cells(size))
    return _on_grey(options, backbone, head)


def _build_layers(options: ModelOptions, points: int, schemes: int, size: tuple[int, int]) -> Net:
    """A flat end goes to regression; maps to soft-argmax, or averaged over the image to regression."""
    _refuse_weights(options)
    backbone, (features, cells) = make_layers(options.layers, options.channels, size)
    head: Head
    if cells and options.head != "regression":
        head = SoftArgmax(features, points, schemes, size, cells)
    elif options.head == "soft-argmax":
        raise UsageError(
            "model.head is soft-argmax, which needs maps, but model.layers end in dense or flatten",
            "leave those out, or set model.head to regression",
        )
    else:
        head = Regression(features, points, schemes, size)
    return _on_grey(options, backbone, head)


def _refuse_weights(options: ModelOptions) -> None:
    if options.pretrained or options.weights:
        raise UsageError(
            f"{options.backbone} has no pretrained weights", "name a timm backbone with --set model.backbone=resnet18"
        )


def _on_grey(options: ModelOptions, backbone: nn.Module, head: Head) -> Net:
    mean, std = GREY
    return Net(backbone, head, [mean] * options.channels, [std] * options.channels)
