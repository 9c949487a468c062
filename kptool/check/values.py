"""What a check finds, as values; rendered elsewhere."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from kptool.dataset import Dataset, Ints, Mask, Names
from kptool.geometry import Bytes
from kptool.pixels import Fault

ORDER: Final = (
    "mirror-pairs",
    "missing-picture",
    "unreadable-picture",
    "box-missing",
    "box-size",
    "box-empty",
    "box-outside",
    "point-far-outside",
    "left-right-swap",
    "off-shape",
    "odd-place",
    "copies-disagree",
    "copies-train-test",
    "equal-copies",
    "near-copies",
    "mirrored-copies",
    "exif-orientation",
    "point-outside",
    "point-outside-box",
    "box-partly-outside",
    "flat-picture",
    "nothing-labelled",
)
"""Kinds of findings, the most important first."""


class Row(NamedTuple):
    """A row by the name of its part ("train", "test") and its id there."""

    part: str
    id: str

    @property
    def place(self) -> tuple[bool, list[tuple[int, str]]]:
        """What rows are sorted by: train before test, and 9 before 10."""
        return self.part != "train", [(int(n or -1), text) for n, text in re.findall(r"(\d{0,18})(\D*)", self.id)]


@dataclass(frozen=True)
class Item:
    """One thing that is wrong.

    Attributes:
        rows: the rows it is about.
        detail: what is wrong with them, in a few words; may be empty.
        value: how wrong, in the unit that the finding's text names; None where there is no such number.
    """

    rows: tuple[Row, ...]
    detail: str = ""
    value: float | None = None


@dataclass(frozen=True)
class Finding:
    """All things of one kind that are wrong.

    Attributes:
        kind: one of ORDER.
        level: an error makes training or prediction fail; a warning is worth a look.
        title: what it is.
        remedy: what to do about it.
        items: the worst first.
    """

    kind: str
    level: Literal["error", "warning"]
    title: str
    remedy: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Part:
    """One half of the data, opened.

    Attributes:
        name: "train" or "test".
        dataset: N rows.
        thumbnails: (N, 1, h, w) uint8 of the faces; rows that are not `usable` hold nothing.
        usable: (N,) whether the picture could be decoded and its face cut out.
        contents: (N,) a digest of the picture's bytes; "" where it cannot be read.
        orientations: (N,) EXIF's, 1 to 8; 1 where it cannot be read.
        modes: (N,) Pillow's name of the kind of pixels; "" where it cannot be read.
        missing: rows whose picture is not there.
        unreadable: rows whose picture is there and cannot be used.
    """

    name: str
    dataset: Dataset
    thumbnails: Bytes
    usable: Mask
    contents: Names
    orientations: Ints
    modes: Names
    missing: list[Fault]
    unreadable: list[Fault]

    def row(self, number: int) -> Row:
        """The row of that number."""
        return Row(self.name, str(self.dataset.ids[number]))

    def items(self, rows: Mask) -> tuple[Item, ...]:
        """An item for each row of a mask (N,)."""
        return worst_first([Item((self.row(n),)) for n in numbers(rows)])


@dataclass(frozen=True)
class Scheme:
    """A marking pattern: its name, its rows, and how many of them have every point of it."""

    name: str
    rows: int
    full: int


@dataclass(frozen=True)
class PointCount:
    """How often a point is labelled, is not, and is labelled but hidden."""

    name: str
    labelled: int
    missing: int
    occluded: int


@dataclass(frozen=True)
class Facts:
    """What a part holds. Sizes are (W, H) px of distinct pictures by their area; None where no picture opens."""

    part: str
    rows: int
    pictures: int
    distinct_pictures: int
    points: int
    boxes: int
    smallest: tuple[int, int] | None
    median: tuple[int, int] | None
    largest: tuple[int, int] | None
    distinct_sizes: int
    modes: dict[str, int]
    rows_in_equal_groups: int
    equal_groups: int
    schemes: tuple[Scheme, ...]
    per_point: tuple[PointCount, ...]


@dataclass(frozen=True)
class Report:
    """The facts of each part, the findings, the most important first, and what could not be looked at."""

    facts: tuple[Facts, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    def exit_code(self, strict: bool) -> int:
        """3 where something makes training fail, or, if strict, where anything was found; else 0."""
        wrong = self.findings if strict else [f for f in self.findings if f.level == "error"]
        return 3 if wrong else 0

    def to_json(self) -> dict[str, Any]:
        """The same as a table for JSON: every item, and nothing that is not finite."""
        findings = [
            {
                "kind": finding.kind,
                "level": finding.level,
                "title": finding.title,
                "remedy": finding.remedy,
                "count": len(finding.items),
                "items": [
                    {"rows": [row._asdict() for row in item.rows], "detail": item.detail, "value": _number(item.value)}
                    for item in finding.items
                ],
            }
            for finding in self.findings
        ]
        return {"facts": [asdict(fact) for fact in self.facts], "findings": findings, "notes": list(self.notes)}


def numbers(mask: npt.NDArray[Any]) -> list[int]:
    """Where a mask (N,) is true, as plain ints."""
    return [int(n) for n in np.flatnonzero(mask)]


def worst_first(items: list[Item]) -> tuple[Item, ...]:
    """Items by falling value, then by rows, so that the order of the data does not matter."""
    return tuple(sorted(items, key=lambda item: (-(item.value or 0.0), [row.place for row in item.rows])))


def _number(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), 4)
