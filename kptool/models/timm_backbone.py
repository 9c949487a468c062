"""Any timm model as a backbone, by name."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from torch import nn

from kptool.config import ModelOptions
from kptool.errors import UsageError, did_you_mean


class Pyramid(nn.Module):
    """The levels of a timm model at strides 8, 16 and 32 (those it has) summed at the finest of them.

    The feature pyramid of Lin et al. 2017 (arXiv 1612.03144), with one 1×1 convolution a level and nearest upsampling.
    """

    def __init__(self, levels: nn.Module, channels: Sequence[int], features: int = 128) -> None:
        super().__init__()
        self.levels, self.channels = levels, tuple(channels)
        self.lateral = nn.ModuleList(nn.Conv2d(c, features, 1, bias=False) for c in channels)
        self.join = nn.Sequential(
            nn.BatchNorm2d(features), nn.ReLU(), nn.Conv2d(features, features, 3, padding=1, bias=False),
            nn.BatchNorm2d(features), nn.ReLU(),
        )  # fmt: skip

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, features, H/8, W/8)."""
        levels = self.levels(images)
        # Some transformers (swin) hand their maps out as (B, h, w, C).
        levels = [v if v.shape[1] == c else v.permute(0, 3, 1, 2) for v, c in zip(levels, self.channels, strict=True)]
        maps = [lateral(level) for lateral, level in zip(self.lateral, levels, strict=True)]
        size = maps[0].shape[-2:]
        out: torch.Tensor = self.join(sum(F.interpolate(m, size=size, mode="nearest") for m in maps))
        return out


class Backbone(NamedTuple):
    """A timm backbone, what it gives for one image, and the pixel mean and std (0 to 1) it wants, by input channel."""

    module: nn.Module
    features: torch.Size
    mean: list[float]
    std: list[float]


def make_timm(options: ModelOptions, maps: bool, size: tuple[int, int]) -> Backbone:
    """A timm model by name.

    Args:
        options: backbone, channels, pretrained, weights.
        maps: True = feature maps at a stride of 8 or more (`Pyramid`), False = pooled features (1, F).
        size: (W, H) of the images.

    Raises:
        UsageError: unknown name, no feature maps, images it cannot take, or weights that do not fit.
    """
    import timm

    name = options.backbone
    if not timm.is_model(name):
        raise UsageError(f"model.backbone: timm has no model called '{name}'", _closest(name, timm.list_models()))
    extra = _weights(options)
    # timm warns of every tensor that a net without classifier has no use for; what is missing was checked above.
    logging.getLogger("timm.models._builder").setLevel(logging.ERROR)
    make = partial(_pyramid if maps else _pooled, name, options.channels)
    shape = (1, options.channels, size[1], size[0])
    try:
        module = make(**extra)
        try:
            features = _probe(module, shape)
        except (AssertionError, RuntimeError):
            # Transformers are built for one size; those that can be built for another are.
            module = make(img_size=(size[1], size[0]), **extra)
            features = _probe(module, shape)
    except (RuntimeError, ValueError, TypeError, OSError, AttributeError, AssertionError) as error:
        text = str(error).strip().splitlines() or [type(error).__name__]
        remedy = "check --weights, model.head, the hub, and whether it takes images of this size"
        raise UsageError(f"model.backbone {name}: {text[0][:200]}", remedy) from error
    mean, std = (list(timm.get_pretrained_cfg_value(name, key) or [v] * 3) for key, v in (("mean", 0.5), ("std", 0.25)))
    if options.channels == 1:
        mean, std = [sum(mean) / len(mean)], [sum(std) / len(std)]
    return Backbone(module, features, mean, std)


def _probe(module: nn.Module, shape: tuple[int, ...]) -> torch.Size:
    module.eval()  # a probe must not move the batch norms
    with torch.no_grad():
        features: torch.Tensor = module(torch.zeros(shape))
    module.train()
    return features.shape


def _pooled(name: str, channels: int, **extra: Any) -> nn.Module:
    import timm

    module: nn.Module = timm.create_model(name, in_chans=channels, num_classes=0, **extra)
    return module


def _pyramid(name: str, channels: int, **extra: Any) -> Pyramid:
    import timm

    bare = timm.create_model(name, in_chans=channels, features_only=True)
    keep = [i for i, stride in enumerate(bare.feature_info.reduction()) if stride in (8, 16, 32)]
    if not keep:
        raise ValueError("has no feature maps at stride 8, 16 or 32")
    levels = timm.create_model(name, in_chans=channels, features_only=True, out_indices=keep, **extra)
    return Pyramid(levels, levels.feature_info.channels())


def _weights(options: ModelOptions) -> dict[str, Any]:
    if not options.weights:
        return {"pretrained": options.pretrained}
    file = Path(options.weights)
    if file.suffix != ".safetensors":
        raise UsageError(f"--weights {file}: only .safetensors is read (a pickle can run code)", "convert it first")
    if not file.is_file():
        raise UsageError(f"--weights {file}: no such file", "name a .safetensors file with the backbone's weights")
    _refuse_unfit(options, file)
    # timm adapts the first convolution to the number of channels and drops the classifier by itself.
    return {"pretrained": True, "pretrained_cfg_overlay": {"file": str(file), "hf_hub_id": None, "url": ""}}


def _refuse_unfit(options: ModelOptions, file: Path) -> None:
    """timm loads what it finds and says nothing of the rest, so a file of another model would leave random weights."""
    import timm

    try:
        with safe_open(file, framework="pt") as opened:
            given = set(opened.keys())
    except SafetensorError as error:
        raise UsageError(f"--weights {file}: not readable ({error})", "fetch it again") from None
    wanted = timm.create_model(options.backbone, in_chans=options.channels, num_classes=0).state_dict()
    missing = sorted(name for name in wanted if name not in given and not name.endswith("num_batches_tracked"))
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UsageError(
            f"--weights {file}: lacks {missing[0]}{more} of {options.backbone}", "name a file in timm's names"
        )


def _closest(name: str, known: Sequence[str]) -> str:
    hint = did_you_mean(name, known)
    return hint if hint.startswith("did") else "timm.list_models() prints the names"
