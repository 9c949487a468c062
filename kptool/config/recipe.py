"""The recipe: everything that decides a score, and nothing else."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from kptool.config.base import Count, FileName, Fraction, NonNegative, Positive, Settings
from kptool.errors import UsageError

DEFAULTS: Final = 1
Loss = Literal[
    "auto", "mse", "l1", "smooth-l1", "wing", "adaptive-wing", "gaussian-nll", "laplace-nll", "cross-entropy",
    "bce", "contrastive", "arcface", "supcon",
]  # fmt: skip


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


class TrainOptions(Settings):
    """How one fold is trained."""

    epochs: Annotated[int, Field(ge=0)] = Field(16, description="0 = the network answers as it begins, see model.start")
    batch_size: Count = 64
    optimizer: Literal["auto", "muon", "adamw", "sgd"] = Field(
        "auto",
        description="muon = Muon on dense convolutions that a norm follows, AdamW on the rest; auto = muon for kptiny; "
        "sgd = Nesterov's momentum",
    )
    lr: Positive = Field(2e-3, description="peak learning rate of AdamW or sgd")
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(0.9, description="of sgd")
    muon_lr: Positive = Field(0.15, description="peak learning rate of Muon, relative to kernels of norm √out")
    weight_decay: NonNegative = 0.01
    schedule: Literal["linear", "cosine", "one-cycle", "constant", "step"] = Field(
        "linear",
        description="linear and cosine decay to 0 after the warm-up; one-cycle also cycles the momentum; step = a "
        "tenth from each epoch of drop_at on",
    )
    drop_at: list[Count] = Field([], description="of schedule step: epochs after which the rate is divided by 10")
    warmup: Fraction = Field(0.05, description="fraction of all steps over which the learning rate rises")
    loss: Loss = Field(
        "auto",
        description="auto = smooth-l1 for points, mse for heatmap, cross-entropy for simcc, bce for pairs; nll learns "
        "a spread; contrastive, supcon and arcface are for pairs",
    )
    loss_scale: Positive = Field(1.0, description="px: where smooth-l1 turns linear; wing's curvature")
    pairs: Literal["given", "all"] = Field(
        "given",
        description="of verification: learn the pairs of the file alone, or all pairs of a batch's pictures, of whom "
        "the names tell who is who",
    )
    views: Literal[1, 2] = Field(
        1, description="of verification: how often a batch shows each picture, each time augmented anew"
    )
    temperature: Positive = Field(0.1, description="of supcon: what cosines are divided by")
    label_clip: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="of bce: labels 0 and 1 become e/2 and 1 - e/2"
    )
    ema: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="decay per step of averaged weights; 0 = off")
    clip: NonNegative = Field(0.0, description="largest gradient norm; 0 = off")
    patience: Annotated[int, Field(ge=0)] = Field(
        0, description="stop after so many evaluations without a better held-out RMSE; 0 = train to the end"
    )
    keep: Literal["last", "best"] = Field(
        "last", description="weights that predict: of the last epoch, or of the best held-out RMSE (optimistic)"
    )
    evaluate_every: Count = Field(1, description="epochs between held-out evaluations; the last is always evaluated")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="auto = timed on this machine")

    @model_validator(mode="after")
    def _terms_fit(self) -> Self:
        if (self.schedule == "step") != bool(self.drop_at):
            what = f"train.schedule = {self.schedule} with train.drop_at = {self.drop_at}"
            raise UsageError(what, "drop_at is of schedule step: give both, or neither")
        wrong = ""
        if self.label_clip and self.loss not in ("auto", "bce"):
            wrong = f"label_clip = {self.label_clip:g}"
        elif (self.loss, self.pairs) in (("arcface", "all"), ("supcon", "given")):
            wrong = f"pairs = {self.pairs}"
        if wrong:
            remedy = "label_clip is of bce; supcon learns all pairs of a batch, arcface none but who is on a picture"
            raise UsageError(f"train.{wrong} with train.loss = {self.loss}", remedy)
        if self.views > 1 and self.pairs == "given":
            raise UsageError("train.views = 2 with train.pairs = given", "no picture meets itself there; set it to all")
        return self

    @model_validator(mode="after")
    def _epochs_suffice(self) -> Self:
        if not self.epochs and self.keep == "best":
            raise UsageError("train.keep = 'best' of train.epochs = 0", "train some epochs, or keep the last")
        return self


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
