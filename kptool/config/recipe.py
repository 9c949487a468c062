"""The recipe: everything that decides a score, and nothing else."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Final

from pydantic import Field

from kptool.config.base import Count, FileName, Fraction, NonNegative, Settings
from kptool.config.network import ModelOptions
from kptool.config.pictures import CropOptions, DataOptions, ImageOptions
from kptool.config.training import TrainOptions

DEFAULTS: Final = 1


class AugmentOptions(Settings):
    """Ranges of random changes to the training images; every one is switched off by 0."""

    rotate: NonNegative = Field(15.0, description="degrees either way")
    scale: Annotated[float, Field(ge=0, lt=1)] = Field(0.12, description="size, fraction either way")
    stretch: Annotated[float, Field(ge=0, lt=1)] = Field(0.05, description="width against height, either way")
    shift: Annotated[float, Field(ge=0, lt=1)] = Field(0.06, description="fraction of the image's side, either way")
    mirror: Fraction = Field(0.5, description="chance of a left-right flip, with the points renamed")
    crop: Annotated[float, Field(ge=0, lt=0.5)] = Field(
        0.0, description="cut from each side at most, fraction of it; the rest is stretched to the frame"
    )
    high_pass: Fraction = Field(0.0, description="chance of taking out the lowest frequencies of the image's DCT")
    high_pass_window: Count = Field(4, description="frequencies along each side that high_pass takes out")
    low_pass: Fraction = Field(0.0, description="chance of keeping only the lowest frequencies of the image's DCT")
    low_pass_window: Count = Field(32, description="frequencies along each side that low_pass keeps")
    brightness: Annotated[float, Field(ge=0, le=1)] = Field(0.15, description="added, fraction of white, either way")
    contrast: Annotated[float, Field(ge=0, lt=1)] = Field(0.2, description="gain about the image's mean, either way")
    shear: Annotated[float, Field(ge=0, lt=60)] = Field(0.0, description="degrees that upright lines lean, either way")


class FoldOptions(Settings):
    """How the rows are split for cross-validation."""

    count: Annotated[int, Field(ge=2)] = 5
    near_duplicates: bool = Field(True, description="keep look-alikes and mirrored copies together, not only equals")
    stratify: bool = Field(True, description="spread each marking scheme evenly over the folds")


class PredictOptions(Settings):
    """Views averaged for out-of-fold and test predictions alike, each mapped back exactly."""

    mirror: bool = True
    shift: NonNegative = Field(2.0, description="px of the model's frame: four shifted views beside the plain one")
    scale: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="two views larger and smaller by this fraction beside the plain one; 0 = none"
    )

    def describe(self) -> str:
        """The views in words, for reports and provenance."""
        more = f" + 4 shifted by {self.shift:g} px" if self.shift > 0 else ""
        more += f" + 2 scaled by {self.scale:g}" if self.scale > 0 else ""
        return f"plain{more}" + (", each also mirrored" if self.mirror else "")


class Recipe(Settings):
    """Everything that decides a score, and nothing else."""

    name: FileName = "default"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    data: DataOptions = DataOptions()
    crop: CropOptions = CropOptions()
    image: ImageOptions = ImageOptions()
    model: ModelOptions = ModelOptions()
    train: TrainOptions = TrainOptions()
    augment: AugmentOptions = AugmentOptions()
    folds: FoldOptions = FoldOptions()
    predict: PredictOptions = PredictOptions()

    @property
    def digest(self) -> str:
        """12 hex digits over every setting that is not the default, but for the name and the reasons of edits.

        So a setting that a later version adds leaves digests alone; DEFAULTS counts the times a default has changed.
        Of soft labels the content counts and not the place, once it is known.
        """
        data: dict[str, Any] = {"edits": {"__all__": {"reason"}}}
        if self.data.soft_digest:
            data["soft"] = True
        settings = self.model_dump(exclude={"name": True, "data": data}, exclude_defaults=True)
        if edits := settings.get("data", {}).get("edits"):
            edits.sort(key=lambda edit: json.dumps(edit, sort_keys=True))  # their order means nothing
        text = json.dumps([DEFAULTS, settings], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
