"""What a user may set: the competition and the recipe. TOML in, unknown keys refused with "did you mean"."""

from __future__ import annotations

from kptool.config.base import Settings, Strict
from kptool.config.competition import Competition
from kptool.config.network import ModelOptions
from kptool.config.pictures import CropOptions, DataOptions, Edit, ImageOptions
from kptool.config.reading import apply_set, differences, flat, parse, read_toml
from kptool.config.recipe import AugmentOptions, FoldOptions, PredictOptions, Recipe
from kptool.config.training import Loss, TrainOptions

__all__ = [
    "AugmentOptions",
    "Competition",
    "CropOptions",
    "DataOptions",
    "Edit",
    "FoldOptions",
    "ImageOptions",
    "Loss",
    "ModelOptions",
    "PredictOptions",
    "Recipe",
    "Settings",
    "Strict",
    "TrainOptions",
    "apply_set",
    "differences",
    "flat",
    "parse",
    "read_toml",
]
