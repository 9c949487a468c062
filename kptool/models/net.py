"""A network as the engine sees it: bytes in, a head's raw output out. Normalisation lives in here."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import nn

from kptool.config import Loss, ModelOptions
from kptool.errors import UsageError
from kptool.models.descriptors import make_descriptors
from kptool.models.heads import Head
from kptool.models.heads.choice import Named, chosen_head, make_head, reads_maps, refuse_loss
from kptool.models.kptiny import Kptiny
from kptool.models.layers import Flow, Lattice, make_layers
from kptool.models.timm_backbone import make_timm
from kptool.models.upsample import Upsample

# Rec. 601 luma, what OpenCV's and Pillow's grey conversions use.
LUMA = (0.299, 0.587, 0.114)

# Mean and standard deviation that our own networks take the pixels for, as fractions of white.
GREY = 0.47, 0.25


# The optimiser moves a parameter by about its learning rate a step; a shift of a pixel must be in reach of a short run.
SHIFT_UNIT = 10.0


class Body(NamedTuple):
    """A backbone, what it hands to a head, and the pixel mean and std (0 to 1) it wants, by input channel."""

    module: nn.Module
    flow: Flow
    mean: list[float]
    std: list[float]


class Seeing(nn.Module):
    """What every network begins with: a backbone, with the pixels' scaling and channels settled at its door."""

    def __init__(self, body: Body) -> None:
        super().__init__()
        self.backbone = body.module
        self.channels = len(body.mean)
        self.register_buffer("mean", torch.tensor(body.mean).view(1, -1, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(body.std).view(1, -1, 1, 1) * 255, persistent=False)
        self.register_buffer("luma", torch.tensor(LUMA).view(1, 3, 1, 1), persistent=False)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """What the backbone gives for images (B, C, H, W), any dtype, 0 to 255, C 1 or 3 whatever it takes."""
        images = images.float()
        if images.shape[1] != self.channels:
            grey = images.shape[1] == 1
            images = images.expand(-1, 3, -1, -1) if grey else (images * cast(torch.Tensor, self.luma)).sum(1, True)
        scaled = (images - cast(torch.Tensor, self.mean)) / cast(torch.Tensor, self.std)
        return cast(torch.Tensor, self.backbone(scaled.contiguous(memory_format=torch.channels_last)))


class Net(Seeing):
    """backbone + head.

    Labels are often placed with a left-right habit: counted from a pixel's corner, or after a resize that forgot its
    half pixel. In a mirrored picture the habit would point the other way, so a model trained on both ends between the
    two and is wrong in each. `label_shift` is that habit, one x offset in px per scheme, learned with the weights: what
    mirroring turns around is the face, not the habit.
    """

    def __init__(self, body: Body, head: Head) -> None:
        super().__init__(body)
        self.head = head
        self.shift_units = nn.Parameter(torch.zeros(head.schemes))

    def label_shift(self, scheme: torch.Tensor) -> torch.Tensor:
        """(B, 2) px: what to add to a found point to get the point as its scheme (B,) labels it."""
        x = SHIFT_UNIT * (self.shift_units[scheme] if self.head.schemes > 1 else self.shift_units.expand(len(scheme)))
        return torch.stack([x, torch.zeros_like(x)], -1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The head's raw output for images (B, C, H, W) as `features` takes them."""
        return cast(torch.Tensor, self.head(self.features(images)))


def build(options: ModelOptions, points: int, schemes: int, size: tuple[int, int], loss: Loss = "auto") -> Net:
    """The network of a recipe, freshly initialised from torch's global generator.

    Args:
        options: the recipe's [model].
        points: K.
        schemes: S sets of outputs.
        size: (W, H) of the model's frame.
        loss: what it will be trained with; some need outputs of their own.

    Raises:
        UsageError: an unknown backbone or layer, a head or a loss that does not fit, or weights that do not.
    """
    named = chosen_head(options)
    refuse_loss(options, loss)
    body = make_body(options, size, maps=named is not None and reads_maps(named))
    maps = options.backbone == "kptiny" or (options.backbone == "layers" and body.flow.cells is not None)
    chosen: Named = named or ("soft-argmax" if maps else "regression")
    if options.start != "middle" and chosen != "regression":
        raise UsageError(
            f"model.start = {options.start} is for regression, but the head is {chosen}",
            "set model.head to regression, or leave model.start out",
        )
    module, flow = _finer(options, chosen, body)
    head = make_head(options, chosen, flow, points, schemes, size, loss)
    return Net(body._replace(module=module, flow=flow), head)


def make_body(options: ModelOptions, size: tuple[int, int], maps: bool) -> Body:
    """The backbone of a recipe, freshly initialised from torch's global generator.

    Args:
        options: the recipe's [model].
        size: (W, H) of the model's frame.
        maps: of timm: feature maps, not pooled features; the others give what they give.

    Raises:
        UsageError: an unknown backbone or layer, or weights that do not fit.
    """
    mean, std = ([value] * options.channels for value in GREY)
    if options.backbone == "layers":
        _refuse_weights(options)
        body = Body(*make_layers(options.layers, options.channels, size), mean, std)
        if options.init == "he":
            _as_he(body.module)
        return body
    if options.backbone == "descriptors":
        _refuse_weights(options)
        described = make_descriptors(options.layers, options.channels, size)
        return Body(described, Flow(sum(described.lengths), None), mean, std)
    if options.layers:
        raise UsageError(
            f"model.layers is given, but model.backbone is '{options.backbone}'",
            "set model.backbone to layers, or leave model.layers out",
        )
    if options.backbone == "kptiny":
        _refuse_weights(options)
        if min(size) < Kptiny.smallest:
            raise UsageError(
                f"kptiny needs images of at least {Kptiny.smallest} px, these are {size[0]}x{size[1]}", "resize"
            )
        tiny = Kptiny(options.channels, options.width)
        return Body(tiny, Flow(tiny.features, tiny.cells(size), Kptiny.lattice), mean, std)
    made = make_timm(options, maps, size)
    shape = made.features
    return Body(made.module, Flow(shape[1], (shape[3], shape[2]) if len(shape) == 4 else None), made.mean, made.std)


def _finer(options: ModelOptions, head: Named, body: Body) -> tuple[nn.Module, Flow]:
    """The backbone with its maps made finer where the recipe asks for it, and what comes out of it."""
    times, (features, cells, lattice) = options.upsample, body.flow
    if times == 1:
        return body.module, body.flow
    if cells is None or not reads_maps(head):
        why = f"model.head {head} reads none" if cells else f"{options.backbone} with head {head} ends in none"
        raise UsageError(
            f"model.upsample = {times} makes maps finer, but {why}",
            "set model.upsample to 1, or model.head to soft-argmax, heatmap or simcc on maps",
        )
    finer = Upsample(features, times)
    if lattice:  # the same ground in finer steps
        x, y = (f - s / 2 + s / times / 2 for f, s in zip(*lattice, strict=True))
        lattice = Lattice((x, y), (lattice.step[0] / times, lattice.step[1] / times))
    return nn.Sequential(body.module, finer), Flow(finer.features, (cells[0] * times, cells[1] * times), lattice)


def _as_he(module: nn.Module) -> None:
    """Let convolutions begin as He et al. 2015 (arXiv 1502.01852) do: normal of deviation √(2 / fan in), biases 0.

    torch's own begin √6 times smaller, and a deep stack without norms then tells all pictures nearly alike.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            assert part.bias is not None
            nn.init.zeros_(part.bias)


def _refuse_weights(options: ModelOptions) -> None:
    if options.pretrained or options.weights:
        raise UsageError(
            f"{options.backbone} has no pretrained weights", "name a timm backbone with --set model.backbone=resnet18"
        )
