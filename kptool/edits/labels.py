"""Edits put into labels."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from kptool.config import Edit
from kptool.dataset import Dataset, Ints, Mask, Names
from kptool.edits.checks import ACTIONS, check_edits, wanted
from kptool.errors import UsageError
from kptool.geometry import Floats
from kptool.schema import Schema

SHOWN: Final = 3  # edits that a note names before it counts the others


class Edited(NamedTuple):
    """Labels (N, K, 2) after the edits, in the images' own px, and what to tell of it, a line each."""

    points: Floats
    notes: list[str]


def apply_edits(edits: Sequence[Edit], dataset: Dataset, known: Names, place: str = "data.edits") -> Edited:
    """The labels to train on; the dataset itself stays as it was read.

    Args:
        edits: checked again, because a run's config.toml may have been changed by hand.
        known: ids of all images of the data; an edit of one that the recipe leaves out of `dataset` changes nothing.

    Raises:
        UsageError: as `check_edits`; an image that the data does not have; a point moved outside its image by more
            than the image's size.
    """
    check_edits(edits, dataset.schema, place)
    points, everything = dataset.points.copy(), set(known.tolist())
    rows = {str(name): row for row, name in enumerate(dataset.ids)}
    counts, added, idle = dict.fromkeys(ACTIONS, 0), 0, list[str]()
    for number, edit in enumerate(edits, 1):
        if edit.image not in everything:
            raise UsageError(f"{place}: edit {number}: no image is called {edit.image!r}", _closest(edit.image, known))
        if (row := rows.get(edit.image)) is None:
            idle.append(f"edit {number} (image {edit.image!r} is left out)")
            continue
        columns, new = _places(edit, dataset.schema)
        _refuse_far(edit, new, dataset.sizes[row], f"{place}: edit {number}")
        old = points[row, columns]
        changed = ~_equal(old, new)
        if not changed.any():
            again = not _equal(dataset.points[row, columns], new).all()
            idle.append(f"edit {number} ({'another says the same' if again else _already(edit)})")
        counts[edit.action] += int(changed.any() if edit.action == "drop" else changed.sum())
        added += int((changed & ~np.isfinite(old).all(-1) & np.isfinite(new).all(-1)).sum())
        points[row, columns] = new
    return Edited(points, _notes(len(edits), counts, added, idle))


def _equal(a: Floats, b: Floats) -> Mask:
    """(...) whether two points (..., 2) are the same, where NaN equals NaN."""
    return np.asarray(((a == b) | (np.isnan(a) & np.isnan(b))).all(-1))


def _places(edit: Edit, schema: Schema) -> tuple[Ints, Floats]:
    """(n,) points by number, and (n, 2) where they shall be; NaN = nowhere."""
    each = wanted(edit, schema)
    places = [[math.nan, math.nan] if to is None else to for _, to in each]
    return np.array([schema.index(point) for point, _ in each]), np.array(places, dtype=np.float64)


def _refuse_far(edit: Edit, places: Floats, size: Ints, at: str) -> None:
    # The bounds that data.outside holds labels against; NaN compares false on both sides.
    far = ((places < -size) | (places >= 2 * size)).any(-1)
    if far.any():
        (x, y), point = places[far.argmax()], edit.points[int(far.argmax())]
        where = f"({x:g}, {y:g}) of a {size[0]}x{size[1]} image"
        raise UsageError(f"{at}: {point} of image {edit.image!r} is moved to {where}", "give px of the image itself")


def _already(edit: Edit) -> str:
    if edit.action == "move":
        return f"image {edit.image!r} is labelled so already"
    return f"{', '.join(edit.points) or 'nothing'} of image {edit.image!r} is {'not ' if edit.points else ''}labelled"


def _closest(image: str, known: Names) -> str:
    names = known.tolist()
    close = [*difflib.get_close_matches(image, names, n=1), names[0]][0]
    return f"images are called as reports name them, as in {close!r}"


def _notes(edits: int, counts: dict[str, int], added: int, idle: list[str]) -> list[str]:
    if not edits:
        return []
    words = (("drop", "row", "dropped"), ("mask", "point", "masked"), ("move", "point", "moved"))
    done = [f"{counts[key]} {what}{'s' * (counts[key] != 1)} {did}" for key, what, did in words if counts[key]]
    notes = [f"{edits} label edit{'s' * (edits != 1)}: {', '.join(done) or 'nothing changed'}"]
    if added:
        notes.append(f"{added} moved point{'s were' if added > 1 else ' was'} not labelled before, and now trained on")
    if idle:
        more = f" and {len(idle) - SHOWN} more" if len(idle) > SHOWN else ""
        notes.append(f"label edits that change nothing: {', '.join(idle[:SHOWN])}{more}")
    return notes
