"""What a user may set: the competition and the recipe. TOML in, unknown keys refused with "did you mean"."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from kptool.errors import UsageError, did_you_mean
from kptool.schema import Schema, make_schema

Fraction = Annotated[float, Field(ge=0, le=1)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
FileName = Annotated[str, Field(pattern=r"^\w[\w .+=,@()-]*$", max_length=100)]  # it becomes a folder's name


class Strict(BaseModel):
    """A frozen table that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Settings(Strict):
    """A table of a recipe: `true` is no number and `"3"` neither."""

    model_config = ConfigDict(strict=True)


class DataOptions(Settings):
    """Which rows are used, and what becomes of impossible labels."""

    rows: Literal["all", "complete"] = Field("all", description="all rows, or only those with every point labelled")
    outside: Literal["keep", "mask", "fail"] = Field(
        "fail", description="a point outside the image by more than its size: keep, mask (not labelled) or fail"
    )
    on_bad: Literal["fail", "skip"] = Field(
        "fail", description="pictures that are missing or cannot be decoded: fail, or skip them and list each"
    )


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


class ModelOptions(Settings):
    """The network: a backbone, and a head that turns features into points."""

    backbone: str = Field("kptiny", description="kptiny (the project's own), layers, or any timm model name")
    layers: list[str] = Field([], description='of backbone layers, as in ["conv 16 7", "relu", "pool 2", "dense 120"]')
    head: Literal["auto", "soft-argmax", "regression"] = Field(
        "auto", description="auto = soft-argmax for kptiny and for layers that end in maps, else regression"
    )
    width: Count = Field(32, description="channels of kptiny's first layer")
    channels: Literal[1, 3] = Field(1, description="input channels the backbone is built with; grey is repeated for 3")
    per_scheme: bool = Field(True, description="one set of outputs per marking scheme instead of one for all")
    pretrained: bool = Field(False, description="load timm's pretrained weights from the hub")
    weights: str = Field("", description="a safetensors file with backbone weights, in timm's names")


class TrainOptions(Settings):
    """How one fold is trained."""

    epochs: Count = 16
    batch_size: Count = 64
    optimizer: Literal["auto", "muon", "adamw"] = Field(
        "auto",
        description="muon = Muon on dense convolutions that a norm follows, AdamW on the rest; auto = muon for kptiny",
    )
    lr: Positive = Field(2e-3, description="peak learning rate of AdamW")
    muon_lr: Positive = Field(0.15, description="peak learning rate of Muon, relative to kernels of norm √out")
    weight_decay: NonNegative = 0.01
    schedule: Literal["linear", "cosine", "one-cycle", "constant"] = Field(
        "linear", description="linear and cosine decay to 0 after the warm-up; one-cycle also cycles the momentum"
    )
    warmup: Fraction = Field(0.05, description="fraction of all steps over which the learning rate rises")
    loss: Literal["mse", "l1", "smooth-l1", "wing"] = "smooth-l1"
    loss_scale: Positive = Field(1.0, description="px: where smooth-l1 turns linear; wing's curvature")
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


class AugmentOptions(Settings):
    """Ranges of random changes to the training images; every one is switched off by 0."""

    rotate: NonNegative = Field(15.0, description="degrees either way")
    scale: Annotated[float, Field(ge=0, lt=1)] = Field(0.12, description="size, fraction either way")
    stretch: Annotated[float, Field(ge=0, lt=1)] = Field(0.05, description="width against height, either way")
    shift: Annotated[float, Field(ge=0, lt=1)] = Field(0.06, description="fraction of the image's side, either way")
    mirror: Fraction = Field(0.5, description="chance of a left-right flip, with the points renamed")
    brightness: Annotated[float, Field(ge=0, le=1)] = Field(0.15, description="added, fraction of white, either way")
    contrast: Annotated[float, Field(ge=0, lt=1)] = Field(0.2, description="gain about the image's mean, either way")


class FoldOptions(Settings):
    """How the rows are split for cross-validation."""

    count: Annotated[int, Field(ge=2)] = 5
    near_duplicates: bool = Field(True, description="keep look-alikes and mirrored copies together, not only equals")
    stratify: bool = Field(True, description="spread each marking scheme evenly over the folds")


class PredictOptions(Settings):
    """Views averaged for out-of-fold and test predictions alike, each mapped back exactly."""

    mirror: bool = True
    shift: NonNegative = Field(2.0, description="px of the model's frame: four shifted views beside the plain one")

    def describe(self) -> str:
        """The views in words, for reports and provenance."""
        more = f" + 4 shifted by {self.shift:g} px" if self.shift > 0 else ""
        return f"plain{more}" + (", each also mirrored" if self.mirror else "")


class Recipe(Settings):
    """Everything that decides a score, and nothing else."""

    name: FileName = "default"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    data: DataOptions = DataOptions()
    crop: CropOptions = CropOptions()
    model: ModelOptions = ModelOptions()
    train: TrainOptions = TrainOptions()
    augment: AugmentOptions = AugmentOptions()
    folds: FoldOptions = FoldOptions()
    predict: PredictOptions = PredictOptions()

    @property
    def digest(self) -> str:
        """12 hex digits over every setting but the name."""
        text = json.dumps(self.model_dump(exclude={"name"}), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


class Competition(Strict):
    """What is the same for every recipe: the files, the points, how a submission looks."""

    slug: FileName
    title: str
    task: Literal["keypoints"] = "keypoints"
    format: Literal[
        "kaggle-faces", "drawn-faces",
        "dlib", "pts", "asf", "coco", "wflw", "yolo", "deeplabcut", "csv", "csv-long", "images",
    ]  # fmt: skip
    source: str = Field("", description="where the data comes from")
    kaggle: str = Field("", description="Kaggle's name of the competition, for the submit command")
    train: str = Field("", description="the labelled annotations under --data; empty = --data itself")
    test: str = Field("", description="the annotations, or the folder of pictures, to be answered")
    points: list[str]
    numbered: bool = Field(False, description="the files count the points, 00, 01, ..., instead of naming them")
    only: list[str] = Field([], description="the points to learn, where the files have more; empty = all")
    pairs: list[tuple[str, str]] | None = Field(None, description="left/right partners; absent = never flip")
    scale_pair: tuple[str, str] | None = None
    pupils: tuple[list[str], list[str]] | None = Field(
        None, description="the points around each eye, whose means are the pupils"
    )
    edges: list[tuple[str, str]] = []
    person: str = Field("", description="a regular expression on the picture's name; its first group is the person")
    metric: Literal["rmse", "mae", "nme"] = Field("rmse", description="the figure that leads the report")
    normaliser: Literal["inter-ocular", "inter-pupil", "box", "diagonal"] = Field(
        "inter-ocular", description="what errors are divided by in NME, CED, AUC, FR and PCK"
    )
    form: Literal["lookup", "long", "wide", "dlib", "coco"] = Field("lookup", description="how a submission looks")
    header: str = Field("RowId,Location", description="first line of a lookup or long submission")

    @model_validator(mode="after")
    def _points_fit(self) -> Self:
        schema = self.schema_of_points  # raises UsageError where a name is wrong
        needs = {"inter-ocular": ("scale_pair", schema.scale_pair), "inter-pupil": ("pupils", schema.pupils)}
        key, known = needs.get(self.normaliser, ("", True))
        if self.metric == "nme" and known is None:
            raise UsageError(f"{self.slug}: metric = 'nme' by {self.normaliser} needs {key}", "give it, or another one")
        return self

    @field_validator("person")
    @classmethod
    def _person_is_a_pattern(cls, person: str) -> str:
        try:
            groups = re.compile(person).groups
        except re.error as error:
            raise ValueError(f"is no regular expression ({error})") from None
        if person and not groups:
            raise ValueError("needs a group in parentheses that holds the person, as in ^([0-9]+)-")
        return person

    @property
    def schema_of_files(self) -> Schema:
        """Every point of the files as a Schema."""
        return make_schema(self.slug, self.points, self.pairs, self.scale_pair, self.edges, self.pupils)

    @property
    def has_test(self) -> bool:
        """Whether there is anything to submit."""
        return bool(self.test) or self.format in ("kaggle-faces", "drawn-faces")

    @property
    def names_in_files(self) -> tuple[str, ...]:
        """What the files call the points to learn."""
        if not self.numbered:
            return self.schema_of_points.points
        width = max(2, len(str(len(self.points) - 1)))
        return tuple(f"{self.points.index(point):0{width}d}" for point in self.only or self.points)

    @property
    def schema_of_points(self) -> Schema:
        """The points to learn as a Schema."""
        return self.schema_of_files.select(self.only) if self.only else self.schema_of_files


T = TypeVar("T", bound=BaseModel)


def parse(kind: type[T], table: dict[str, Any], place: str) -> T:
    """Validate a table; `place` names the file or flag in the message.

    Raises:
        UsageError: the first wrong key or value, with the remedy.
    """
    try:
        return kind.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        remedy = did_you_mean(str(first["loc"][-1]), _keys(kind, first["loc"]))
        raise UsageError(f"{place}: unknown key '{key}'", remedy)
    raise UsageError(f"{place}: {key} is {first['input']!r}", first["msg"][:1].lower() + first["msg"][1:])


def _keys(kind: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    for part in location[:-1]:
        annotation = kind.model_fields[str(part)].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            break
        kind = annotation
    return list(kind.model_fields)


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as a table; raises UsageError with the line that does not parse."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: {error}", "mend or name another file") from None


def apply_set(table: dict[str, Any], settings: list[str]) -> dict[str, Any]:
    """A copy of `table` with each ``section.key=value`` put in; values are TOML, a bare word is text."""
    table = cast(dict[str, Any], json.loads(json.dumps(table)))
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--set {setting}", "write it as section.key=value, as in --set train.epochs=30")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        *sections, last = key.strip().split(".")
        inner = table
        for section in sections:
            inner = inner.setdefault(section, {})
            if not isinstance(inner, dict):
                raise UsageError(f"--set {setting}: '{section}' is no section", "kptool show lists sections and keys")
        inner[last] = value
    return table


def flat(recipe: Recipe) -> dict[str, Any]:
    """The settings as {"train.epochs": 16, …}."""
    out: dict[str, Any] = {}
    for key, value in recipe.model_dump().items():
        out.update({f"{key}.{k}": v for k, v in value.items()} if isinstance(value, dict) else {key: value})
    return out


def differences(old: Recipe, new: Recipe) -> list[str]:
    """One line per setting that differs, as ``train.epochs: 16 -> 30``."""
    before, after = flat(old), flat(new)
    return [f"{key}: {before[key]!r} -> {after[key]!r}" for key in before if before[key] != after[key]]
