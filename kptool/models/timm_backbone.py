"""Any timm model as a backbone, by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from kptool.config import ModelOptions
from kptool.errors import UsageError, did_you_mean


class Pyramid(nn.Module):
    """The levels of a timm model at strides 8, 16 and 32 (those it has) summed at the finest of them.

    The feature pyramid of Lin et al. 2017 (arXiv 1612.03144), with one 1×1 convolution a level and nearest upsampling.
    """

    def __init__(self, levels: nn.Module, channels: Sequence[int], features: int = 128) -> None:
        super().__init__()
        self.levels = levels
        self.lateral = nn.ModuleList(nn.Conv2d(c, features, 1, bias=False) for c in channels)
        self.join = nn.Sequential(
            nn.BatchNorm2d(features), nn.ReLU(), nn.Conv2d(features, features, 3, padding=1, bias=False),
            nn.BatchNorm2d(features), nn.ReLU(),
        )  # fmt: skip

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, features, H/8, W/8)."""
        maps = [lateral(level) for lateral, level in zip(self.lateral, self.levels(images), strict=True)]
        size = maps[0].shape[-2:]
        out: torch.Tensor = self.join(sum(F.interpolate(m, size=size, mode="nearest") for m in maps))
        return out


def make_timm(options: ModelOptions, maps: bool) -> tuple[nn.Module, list[float], list[float]]:
    """A timm backbone with its pixel mean and std (0 to 1, one value per input channel).

    Args:
        options: backbone, channels, pretrained, weights.
        maps: True = feature maps at stride 8 (`Pyramid`), False = pooled features (B, F).

    Raises:
        UsageError: unknown name, no feature maps, or weights that cannot be read or do not fit.
    """
    import timm

    name = options.backbone
    if not timm.is_model(name):
        raise UsageError(f"model.backbone: timm has no model called '{name}'", _closest(name, timm.list_models()))
    extra = _weights(options)
    try:
        if maps:
            backbone = _pyramid(name, options.channels, extra)
        else:
            backbone = timm.create_model(name, in_chans=options.channels, num_classes=0, **extra)
    except (RuntimeError, ValueError, OSError, AttributeError, AssertionError) as error:
        text = str(error).strip().splitlines() or [type(error).__name__]
        raise UsageError(
            f"model.backbone {name}: {text[0][:200]}", "check --weights, model.head and the hub"
        ) from error
    mean, std = (list(timm.get_pretrained_cfg_value(name, key) or [v] * 3) for key, v in (("mean", 0.5), ("std", 0.25)))
    if options.channels == 1:
        mean, std = [sum(mean) / len(mean)], [sum(std) / len(std)]
    return backbone, mean, std


def _pyramid(name: str, channels: int, extra: dict[str, Any]) -> Pyramid:
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
    # timm adapts the first convolution to the number of channels and drops the classifier by itself.
    return {"pretrained": True, "pretrained_cfg_overlay": {"file": str(file), "hf_hub_id": None, "url": ""}}


def _closest(name: str, known: Sequence[str]) -> str:
    hint = did_you_mean(name, known)
    return hint if hint.startswith("did") else "timm.list_models() prints the names"
