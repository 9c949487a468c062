"""What a recipe says of the training of one fold."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from kptool.config.base import Count, Fraction, NonNegative, Positive, Settings
from kptool.errors import UsageError

Loss = Literal[
    "auto", "mse", "l1", "smooth-l1", "wing", "adaptive-wing", "gaussian-nll", "laplace-nll", "cross-entropy",
    "bce", "contrastive", "arcface", "supcon",
]  # fmt: skip


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
