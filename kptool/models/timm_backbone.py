"""Any timm model as a backbone, by name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import nn

from kptool.config import ModelOptions
from kptool.errors import UsageError, did_you_mean
from kptool.models.pyramid import NO_PADDING, Pad, Padding, Pyramid, Sides, padding_to
from kptool.models.timm_weights import weights_of

# Strides of the levels that maps are made of.
FINEST, COARSEST = 8, 32

# What timm and torch raise where a model cannot be had in some way, or does not take some images.
UNFIT = (AssertionError, AttributeError, RuntimeError, TypeError, ValueError)


class Backbone(NamedTuple):
    """A timm backbone, what it gives for one image, and the pixel mean and std (0 to 1) it wants, by input channel."""

    module: nn.Module
    features: torch.Size
    mean: list[float]
    std: list[float]


def make_timm(options: ModelOptions, maps: bool, size: Sides) -> Backbone:
    """A timm model by name, alone or with the tag of its weights, as in resnet18.a1_in1k.

    Args:
        options: backbone, channels, pretrained, weights.
        maps: True = feature maps, summed by a `Pyramid`; False = pooled features.
        size: (W, H) of the images. A network that refuses it, or whose maps would leave out an edge, gets the image's
            border repeated up to whole strides.

    A strided convolution that pads both sides alike centres cell i at i·s, (s - 1)/2 px left of and above the middle
    of the s px that heads take it to lie over: resnet18 is off by 3.5, 7.8 and 15.2 px at strides 8, 16 and 32 (the
    squared gradient's centre, at random weights), resnet10t, which averages before it halves, by 1.9 and 1.4 at 8 and
    16. The offset is the same for all cells, so trained weights can make up for it; what that costs was not measured.

    Raises:
        UsageError: unknown name or tag, no feature maps, images it cannot take, or weights that do not fit.
    """
    import timm

    name = options.backbone
    _refuse_unknown(name)
    extra = weights_of(options)
    # timm warns of every tensor that a net without classifier has no use for; what is missing was checked above.
    logging.getLogger("timm.models._builder").setLevel(logging.ERROR)
    make = partial(_pyramid if maps else _pooled, name, options.channels)
    try:
        module, features = _fitted(options, maps, partial(make, **extra), size)
    except _RefusedImagesError as error:
        raise _refusal(name, size, error) from error
    except (*UNFIT, OSError) as error:
        remedy = "check the hub, or name a file with --weights"
        raise UsageError(f"model.backbone {name}: {_first_line(error)}", remedy) from error
    mean, std = (list(timm.get_pretrained_cfg_value(name, key) or [v] * 3) for key, v in (("mean", 0.5), ("std", 0.25)))
    if options.channels == 1:
        mean, std = [sum(mean) / len(mean)], [sum(std) / len(std)]
    return Backbone(module, features, mean, std)


def _refuse_unknown(name: str) -> None:
    import timm

    base, _, tag = name.partition(".")
    if not timm.is_model(base):
        raise UsageError(f"model.backbone: timm has no model called '{base}'", _closest(base, timm.list_models()))
    tags = [known.partition(".")[2] for known in timm.list_pretrained(f"{base}.*")]
    if tag and tag not in tags:
        remedy = did_you_mean(tag, tags) if tags else "leave the tag out"
        raise UsageError(f"model.backbone: timm has no weights of {base} tagged '{tag}'", remedy)


def _closest(name: str, known: Sequence[str]) -> str:
    hint = did_you_mean(name, known)
    return hint if hint.startswith("did") else "timm.list_models() prints the names"


class _RefusedImagesError(Exception):
    """A network that could be had does not take images of some size."""


def _fitted(
    options: ModelOptions, maps: bool, make: Callable[..., nn.Module], size: Sides
) -> tuple[nn.Module, torch.Size]:
    """A network that takes images of `size`: as timm has it, or padded, or built for their size, or trimmed."""
    module = make()
    try:
        return module, _probe(module, options.channels, size)
    except _RefusedImagesError as error:
        refused = error
    padding = padding_to(_whole_stride(options.backbone), size)
    attempts: list[dict[str, Any]] = [{"padding": padding}] if any(padding) else []
    # Transformers are built for one size; those that can be built for another are.
    attempts.append({"padding": padding, "img_size": padding.grown(size)[::-1]})
    trimmed = [{**attempt, "trimmed": True} for attempt in attempts[-1:]] if maps else []
    for attempt in [*attempts, *([{"trimmed": True}] if maps else []), *trimmed]:
        with suppress(_RefusedImagesError, *UNFIT):
            module = make(**attempt)
            return module, _probe(module, options.channels, size)
    raise refused


def _probe(module: nn.Module, channels: int, size: Sides) -> torch.Size:
    module.eval()  # a probe must not move the batch norms
    try:
        with torch.no_grad():
            features: torch.Tensor = module(torch.zeros(1, channels, size[1], size[0]))
    except UNFIT as error:
        raise _RefusedImagesError(_first_line(error)) from error
    module.train()
    if features.ndim not in (2, 4):
        raise ValueError(f"gives features of {features.ndim} dimensions")
    return features.shape


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _whole_stride(name: str) -> int:
    """Sides that are multiples of this are cut without remainder by every level up to stride 32."""
    import timm

    info = getattr(timm.create_model(name, num_classes=0), "feature_info", ())
    return max((level["reduction"] for level in info if level["reduction"] <= COARSEST), default=COARSEST)


def _pooled(name: str, channels: int, padding: Padding = NO_PADDING, **extra: Any) -> nn.Module:
    import timm

    module: nn.Module = timm.create_model(name, in_chans=channels, num_classes=0, **extra)
    return nn.Sequential(Pad(padding), module) if any(padding) else module


def _pyramid(name: str, channels: int, padding: Padding = NO_PADDING, trimmed: bool = False, **extra: Any) -> Pyramid:
    import timm

    try:
        bare = timm.create_model(name, in_chans=channels, features_only=True)
    except UNFIT as error:
        raise UsageError(
            f"model.backbone {name}: timm hands out no feature maps of it",
            "set model.head to regression, which takes pooled features",
        ) from error
    # Of transformers timm takes the last blocks, so a level's place in this list is not its index.
    keep = _wanted(dict(zip(bare.feature_info.out_indices, bare.feature_info.reduction(), strict=True)))
    levels = timm.create_model(name, in_chans=channels, features_only=True, out_indices=keep, **extra)
    last = str(getattr(levels, "output_fmt", "NCHW")).endswith("NHWC")
    return Pyramid(levels, levels.feature_info.channels(), levels.feature_info.reduction(), padding, last, trimmed)


def _wanted(strides: dict[int, int]) -> list[int]:
    """The levels to use of {index: stride}: strides 8 to 32, else the finest above them, else the coarsest."""
    wanted = [index for index, stride in strides.items() if FINEST <= stride <= COARSEST]
    above = [stride for stride in strides.values() if stride > COARSEST]
    one = min(above) if above else max(strides.values())
    return wanted or [index for index, stride in strides.items() if stride == one]


def _refusal(name: str, size: Sides, error: Exception) -> UsageError:
    import timm

    _, height, width = timm.get_pretrained_cfg_value(name, "input_size") or (3, 224, 224)
    return UsageError(
        f"model.backbone {name} takes no images of {size[0]}x{size[1]} px: {error}",
        f"it was made for {width}x{height} px: set crop.width and crop.height",
    )
