"""What must hold of edits before any image is looked at."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final, get_args

from kptool.config import Edit
from kptool.errors import UsageError, did_you_mean
from kptool.schema import Schema

ACTIONS: Final[tuple[str, ...]] = get_args(Edit.model_fields["action"].annotation)


def check_edits(edits: Sequence[Edit], schema: Schema, place: str) -> None:
    """Hold edits against the points of a competition; `place` names the file in the message.

    Raises:
        UsageError: an unknown point, `to` of another length than points, a number that is not finite, or two edits
            that want one point in two places.
    """
    for number, edit in enumerate(edits, 1):
        at = f"{place}: edit {number}"
        _check_points(edit, schema, at)
        _check_to(edit, at)
    said: dict[tuple[str, str], tuple[int, list[float] | None]] = {}
    for number, edit in enumerate(edits, 1):
        for point, to in wanted(edit, schema):
            before, other = said.setdefault((edit.image, point), (number, to))
            if other != to:
                about = f"{point} of image {edit.image!r}"
                raise UsageError(
                    f"{place}: edits {before} and {number} contradict each other about {about}", "keep one"
                )


def wanted(edit: Edit, schema: Schema) -> list[tuple[str, list[float] | None]]:
    """The points that a sound edit speaks of, each with x and y of where it shall be; None = nowhere."""
    points = list(schema.points) if edit.action == "drop" or not edit.points else edit.points
    places: Sequence[list[float] | None] = edit.to or [None] * len(points)
    return list(zip(points, places, strict=True))


def count_actions(edits: Iterable[Edit]) -> dict[str, int]:
    """How many edits there are of each action that occurs."""
    actions = [edit.action for edit in edits]
    return {action: actions.count(action) for action in ACTIONS if action in actions}


def _check_points(edit: Edit, schema: Schema, at: str) -> None:
    if edit.action == "drop" and edit.points:
        raise UsageError(f"{at}: drop takes the whole image, not points", 'leave points out, or say action = "mask"')
    if edit.action == "move" and not edit.points:
        raise UsageError(f"{at}: move without points", "name the points, and in 'to' where each belongs")
    for point in edit.points:
        if point not in schema.points:
            raise UsageError(f"{at}: no point is called {point!r}", did_you_mean(point, schema.points))
    if len(set(edit.points)) < len(edit.points):
        raise UsageError(f"{at}: a point is named twice", "name each point once")


def _check_to(edit: Edit, at: str) -> None:
    if edit.action != "move" and edit.to:
        raise UsageError(f"{at}: {edit.action} moves nothing, yet has 'to'", 'leave it out, or say action = "move"')
    if edit.action == "move" and len(edit.to) != len(edit.points):
        raise UsageError(
            f"{at}: 'points' holds {len(edit.points)} and 'to' {len(edit.to)}", "write [x, y] in 'to' for each point"
        )
    for place in edit.to:
        if len(place) != 2 or not all(map(math.isfinite, place)):
            raise UsageError(f"{at}: {place} is no place", "write [x, y] in px, two finite numbers")
