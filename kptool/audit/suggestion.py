"""One image to look at: what is suspicious, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kptool.config import Edit

Action = Literal["move", "mask", "drop"]
Kind = Literal["swap", "copy", "points", "labels", "face"]


@dataclass(frozen=True)
class Suggestion:
    """An image and what to do about it.

    Attributes:
        rank: from 1, the most suspicious first.
        row: its place among the images that were predicted.
        id: what reports call it.
        fold: that held it out.
        scheme: the name of its marking scheme.
        labelled: how many of its points are.
        action: of the edit.
        kind: why: left and right exchanged, a copy marked otherwise, some points off, most of them, or a face that the
            models have lost.
        points: those that are doubted; of a move, those that are moved.
        to: of a move, where each belongs, px of the original image.
        masked: doubted points that a move leaves no place for; they are not trained on.
        score: natural logarithm of a likelihood ratio, see `kptool.audit.score`.
        strong: whether its edit is written: the label is in doubt, and not the face.
        reason: in plain words.
    """

    rank: int
    row: int
    id: str
    fold: int
    scheme: str
    labelled: int
    action: Action
    kind: Kind
    points: tuple[str, ...]
    to: tuple[tuple[float, float], ...]
    masked: tuple[str, ...]
    score: float
    strong: bool
    reason: str

    @property
    def shown(self) -> str:
        """The action as lists show it: with a question mark where a person must decide."""
        return f"{self.action}?" if self.kind == "face" else self.action

    def edits(self) -> list[Edit]:
        """As a recipe takes them: one, or two where some points move and others are masked."""
        points = [] if self.action == "drop" else list(self.points)
        to = [list(place) for place in self.to]
        first = Edit(image=self.id, action=self.action, points=points, to=to, reason=self.reason)
        if not self.masked:
            return [first]
        return [first, Edit(image=self.id, action="mask", points=list(self.masked), reason=self.reason)]
