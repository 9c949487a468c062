"""What a recipe says of the data: which rows, what becomes of grey levels, what of a photo is shown."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from kptool.config.base import Count, NonNegative, Positive, Settings
from kptool.errors import UsageError


class Edit(Settings):
    """One correction of the training labels, by hand or by an audit; what is scored stays as it was read."""

    image: str = Field(description="the image's id, as reports name it")
    action: Literal["drop", "mask", "move"] = Field(
        description="drop = not trained on; mask = points taken as not labelled; move = points put elsewhere"
    )
    points: list[str] = Field([], description="of mask and move; mask without any = all points")
    to: list[list[float]] = Field([], description="of move: where each point belongs, x and y in the image's own px")
    reason: str = ""


class DataOptions(Settings):
    """Which rows are used, and what becomes of impossible labels."""

    rows: Literal["all", "complete"] = Field("all", description="all rows, or only those with every point labelled")
    outside: Literal["keep", "mask", "fail"] = Field(
        "fail", description="a point outside the image by more than its size: keep, mask (not labelled) or fail"
    )
    on_bad: Literal["fail", "skip"] = Field(
        "fail", description="pictures that are missing or cannot be decoded: fail, or skip them and list each"
    )
    edits: list[Edit] = Field([], description="corrections of training labels; a recipe may name their .toml file")
    soft: str = Field(
        "", description="a file that kptool relabel wrote: points found by a run, trained on where a label is missing"
    )
    soft_digest: str = Field("", description="of that file's content; kptool puts it in, and then refuses another file")
    soft_weight: Positive = Field(0.5, description="how much a soft label counts, as part of a label")
    soft_radius: NonNegative = Field(
        0.0, description="px of the image: soft labels with a larger radius are not used; 0 = all are"
    )
    pairs_from: Literal["file", "identities"] = Field(
        "file", description="of verification: pairs as a file lists them, or drawn from folders of a person each"
    )
    pairs_per_person: Count = Field(
        10, description="of pairs drawn from identities: same-person pairs of each person at most"
    )


class ImageOptions(Settings):
    """What is done to every image's grey levels before anything else, in training and prediction alike."""

    contrast: Literal["none", "stretch", "equalise", "clahe", "standardise"] = Field(
        "none",
        description="stretch = percentiles to black and white; equalise = histogram equalisation, clahe = local and "
        "limited; standardise = each image's own mean and deviation",
    )
    low: Annotated[float, Field(ge=0, lt=50)] = Field(2.0, description="percentile that stretch makes black")
    high: Annotated[float, Field(gt=50, le=100)] = Field(98.0, description="percentile that stretch makes white")
    clahe_clip: Positive = Field(2.0, description="limit of clahe, in multiples of a flat histogram")
    clahe_tiles: Count = Field(8, description="tiles of clahe along each side")


class CropOptions(Settings):
    """What of a photo becomes the model's frame. Images that all have one size and no box may leave it out."""

    width: Annotated[int, Field(ge=0)] = Field(0, description="px of the model's frame; 0 = the images' own size")
    height: Annotated[int, Field(ge=0)] = Field(0, description="px of the model's frame; 0 = as the width")
    box: Literal["auto", "file", "image"] = Field(
        "auto", description="what is cropped: the file's box, the whole image, or auto = boxes if the file has any"
    )
    margin: Annotated[float, Field(ge=-0.4, le=4)] = Field(
        0.2, description="added on each side of a box, fraction of its sides"
    )
    aspect: Literal["keep", "stretch"] = Field(
        "keep", description="keep = the box grows to the frame's aspect; stretch = it is distorted to it"
    )
    part: list[Annotated[float, Field(ge=0, le=1)]] = Field(
        [0.0, 0.0, 1.0, 1.0],
        description="of whole images: the part that is shown, left, top, width and height as fractions of the sides",
    )
    slack: Annotated[float, Field(ge=0, le=1)] = Field(
        0.2, description="kept around the frame in the cache for augmentation, fraction of its sides"
    )
    outside: Literal["keep", "mask"] = Field(
        "keep", description="labels outside the frame and its slack: keep, or mask (not labelled in training)"
    )

    @model_validator(mode="after")
    def _needs_a_width(self) -> Self:
        if not self.width and (self.height or self.box == "file"):
            what = f"crop.height = {self.height}" if self.height else "crop.box = 'file'"
            raise UsageError(f"{what} without crop.width", "set crop.width too")
        return self

    @model_validator(mode="after")
    def _part_is_inside(self) -> Self:
        left, top, width, height = self.part if len(self.part) == 4 else (1.0, 1.0, 1.0, 1.0)
        if not (width > 0 and height > 0 and left + width <= 1 + 1e-9 and top + height <= 1 + 1e-9):
            raise UsageError(
                f"crop.part = {self.part} is no part of an image",
                "give left, top, width and height as fractions, as in [0.25, 0.25, 0.5, 0.5]",
            )
        if self.part != [0.0, 0.0, 1.0, 1.0] and not self.width:
            raise UsageError("crop.part without crop.width", "set crop.width too")
        return self
