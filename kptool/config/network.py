"""What a recipe says of the network."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kptool.config.base import Count, Fraction, Positive, Settings


class ModelOptions(Settings):
    """The network: a backbone, and a head that turns features into points."""

    backbone: str = Field(
        "kptiny",
        description="kptiny (the project's own), layers, descriptors (hand-made, of verification), or any timm model "
        "name, with or without a tag",
    )
    layers: list[str] = Field(
        [],
        description='of backbone layers, as in ["conv 16 7", "relu", "pool 2", "dense 120"]; of descriptors, as in '
        '["hog 8 16", "lbp 2 10"]',
    )
    head: Literal["auto", "soft-argmax", "regression", "heatmap", "simcc", "cosine", "l1"] = Field(
        "auto",
        description="auto = soft-argmax for kptiny and for layers that end in maps, else regression; of verification "
        "cosine, or l1 = a weighted sum of the embeddings' absolute differences",
    )
    embedding: Annotated[int, Field(ge=0)] = Field(
        0, description="of verification: numbers that a picture is told by; 0 = as many as the backbone ends in"
    )
    pool: Literal["mean", "flatten"] = Field(
        "mean", description="of verification: what becomes of a backbone's maps before the embedding"
    )
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="of verification: chance of leaving out a number before the embedding"
    )
    start: Literal["middle", "mean-shape", "whitened", "within"] = Field(
        "middle",
        description="where regression begins: all points in the frame's middle, or the training rows' mean; where the "
        "embedding of verification begins: by lot, whitened = principal components of the training pictures, within = "
        "these, scaled by how pictures of one person vary",
    )
    power: Fraction = Field(1.0, description="of a whitened start: 1 = every component alike, 0 = as large as it is")
    shrink: Fraction = Field(0.05, description="of start within: the variation of one person drawn towards its mean")
    init: Literal["torch", "he"] = Field(
        "torch", description="of backbone layers: how convolutions begin, as torch does it, or as He et al. (2015) do"
    )
    upsample: Literal[1, 2, 4] = Field(1, description="maps are made so many times finer than the backbone's")
    sigma: Positive = Field(
        2.0, description="px of the frame: width of heatmap's and simcc's targets, at least 0.7 cell"
    )
    bins: Annotated[float, Field(gt=0, le=64)] = Field(2.0, description="simcc: bins a px of the model's frame")
    width: Count = Field(32, description="channels of kptiny's first layer")
    channels: Literal[1, 3] = Field(1, description="input channels the backbone is built with; grey is repeated for 3")
    per_scheme: bool = Field(True, description="one set of outputs per marking scheme instead of one for all")
    pretrained: bool = Field(False, description="load timm's pretrained weights from the hub")
    weights: str = Field("", description="a safetensors file with backbone weights, in timm's names")
