"""The competition: the files, the points and the form of a submission, the same for every recipe."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from kptool.annotations import numbered
from kptool.config.base import FileName, Strict
from kptool.errors import UsageError
from kptool.schema import Schema, make_schema
from kptool.schemes import given


class Competition(Strict):
    """What is the same for every recipe: the files, the points, how a submission looks."""

    slug: FileName
    title: str
    task: Literal["keypoints", "verification"] = "keypoints"
    format: Literal[
        "kaggle-faces", "drawn-faces",
        "dlib", "pts", "asf", "coco", "wflw", "yolo", "deeplabcut", "csv", "csv-long", "images",
        "lfw-pairs",
    ]  # fmt: skip
    source: str = Field("", description="where the data comes from")
    kaggle: str = Field("", description="Kaggle's name of the competition, for the submit command")
    train: str = Field("", description="the labelled annotations under --data; empty = --data itself")
    test: str = Field("", description="the annotations, or the folder of pictures, to be answered")
    points: list[str] = Field([], description="their names, in file order; verification has none")
    numbered: bool = Field(False, description="the files count the points, 00, 01, ..., instead of naming them")
    only: list[str] = Field([], description="the points to learn, where the files have more; empty = all")
    pairs: list[tuple[str, str]] | None = Field(None, description="left/right partners; absent = never flip")
    scale_pair: tuple[str, str] | None = None
    pupils: tuple[list[str], list[str]] | None = Field(
        None, description="the points around each eye, whose means are the pupils"
    )
    edges: list[tuple[str, str]] = Field([], description="pairs of points that a drawing joins")
    schemes: list[list[str]] = Field(
        [], description="the points of each marking scheme; empty = found from the pattern of labels"
    )
    person: str = Field("", description="a regular expression on the picture's name; its first group is the person")
    protocol: str = Field("", description="of verification: what the pairs are, for the score line")
    alignment: str = Field(
        "", description="of verification: how pictures were brought into place; empty = told from the pictures"
    )
    metric: Literal["rmse", "mae", "nme"] = Field("rmse", description="the figure that leads the report")
    normaliser: Literal["inter-ocular", "inter-pupil", "box", "diagonal"] = Field(
        "inter-ocular", description="what errors are divided by in NME, CED, AUC, FR and PCK"
    )
    form: Literal["lookup", "long", "wide", "dlib", "coco", "pairs"] = Field(
        "lookup", description="how a submission looks"
    )
    header: str = Field("RowId,Location", description="first line of a lookup or long submission")

    @model_validator(mode="after")
    def _task_fits(self) -> Self:
        pairs = self.task == "verification"
        if pairs != (self.format == "lfw-pairs") or pairs != (self.form == "pairs") or (pairs and self.points):
            raise UsageError(
                f"{self.slug}: task '{self.task}' does not go with format '{self.format}', form '{self.form}' and "
                f"{len(self.points)} points",
                "verification has format lfw-pairs, form pairs and no points",
            )
        return self

    @model_validator(mode="after")
    def _points_fit(self) -> Self:
        schema = self.schema_of_points  # raises UsageError where a name is wrong
        if self.schemes:
            given(schema, self.schemes)
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
        names = numbered(len(self.points))
        return tuple(names[self.points.index(point)] for point in self.only or self.points)

    @property
    def schema_of_points(self) -> Schema:
        """The points to learn as a Schema."""
        return self.schema_of_files.select(self.only) if self.only else self.schema_of_files
