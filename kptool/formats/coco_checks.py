"""Pieces of COCO JSON taken apart with every value looked at: what is wrong is told with its place.

A place is "labels.json: annotation 17". Values are what `json` gives: dict, list, str, int, float, bool, None.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from kptool.dataset import Mask
from kptool.errors import DataError
from kptool.formats.lines import show
from kptool.geometry import Floats

Record = dict[str, Any]


def shown(value: Any) -> str:
    """A value for a message: on one line, cut at 40 characters."""
    if isinstance(value, str):
        return show(value)
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


def load(text: str, place: str) -> Any:
    """The JSON in a text.

    Raises:
        DataError: with the line, where it is not JSON, is nested too deeply or holds a number of absurd length.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{place}:{error.lineno}: not JSON ({error.msg})", "is the file whole?") from None
    except (RecursionError, ValueError) as error:
        raise DataError(f"{place}: JSON that cannot be read ({str(error)[:80]})", "is this the right file?") from None


def records(top: Any, key: str, place: str) -> list[Record]:
    """The list of objects under a key of the file; DataError where it is not one."""
    found = top.get(key) if isinstance(top, dict) else None
    if not isinstance(found, list):
        raise DataError(f"{place}: no list '{key}'", "COCO JSON has images, annotations and categories")
    for index, record in enumerate(found):
        if not isinstance(record, dict):
            raise DataError(f"{place}: {key}[{index}] is {shown(record)}, expected an object", "correct it")
    return found


def by_id(found: list[Record], what: str, place: str) -> dict[int | str, Record]:
    """Records by their id, in file order; DataError where an id is missing, no number or text, or used twice."""
    named: dict[int | str, Record] = {}
    for index, record in enumerate(found):
        number = record.get("id")
        if not isinstance(number, int | str) or isinstance(number, bool):
            raise DataError(f"{place}: {what} {index} has id {shown(number)}, expected a number", "give it an id")
        if number in named:
            raise DataError(f"{place}: {what} id {number} is used twice", "give every one an id of its own")
        named[number] = record
    return named


def numbers(value: Any, where: str, what: str) -> Floats:
    """A JSON list as a float64 array, null as NaN; DataError where something else stands in it."""
    if not isinstance(value, list):
        raise DataError(f"{where}: {what} is {shown(value)}, expected a list of numbers", "correct it")
    try:
        return np.array([_number(v) for v in value], dtype=np.float64)
    except (TypeError, OverflowError) as error:
        raise DataError(f"{where}: {what} holds {error}, expected numbers", "correct it") from None


def _number(value: Any) -> float:
    if value is None:
        return math.nan
    if type(value) not in (int, float):
        raise TypeError(shown(value))
    try:
        return float(value)
    except OverflowError:
        raise OverflowError("a number too large") from None


def points(value: Any, count: int, where: str) -> tuple[Floats, Mask]:
    """[x, y, v]*K as points (K, 2), NaN where v = 0, and occluded (K,), where v = 1.

    Raises:
        DataError: another count of numbers, v that is not 0, 1 or 2, a labelled point that is not finite.
    """
    flat = numbers(value, where, "keypoints")
    if len(flat) != 3 * count:
        fault = "no multiple of 3" if len(flat) % 3 else f"the category has {count} points"
        raise DataError(f"{where}: keypoints has {len(flat)} numbers, {fault}", f"give x, y, v {count} times")
    triples = flat.reshape(count, 3)
    seen = triples[:, 2]
    for k in np.flatnonzero(~np.isin(seen, (0, 1, 2)))[:1]:
        raise DataError(f"{where}: point {k + 1} has v = {seen[k]:g}", "v is 0, 1 or 2")
    there = seen > 0
    for k in np.flatnonzero(there & ~np.isfinite(triples[:, :2]).all(1))[:1]:
        raise DataError(f"{where}: point {k + 1} is labelled but not finite", "correct it, or set v = 0")
    return np.where(there[:, None], triples[:, :2], np.nan), np.asarray(seen == 1)


def box(annotation: Record, where: str) -> Floats:
    """(4,) left, top, width, height; NaN where there is no bbox, or one that was only drawn around the points.

    Raises:
        DataError: not four finite numbers, a negative width or height.
    """
    if annotation.get("bbox") is None or annotation.get("bbox_from") == "keypoints":
        return np.full(4, np.nan)
    sides = numbers(annotation["bbox"], where, "bbox")
    if len(sides) != 4 or not np.isfinite(sides).all():
        fault = f"{len(sides)} numbers" if len(sides) != 4 else "a number that is not finite"
        raise DataError(f"{where}: bbox has {fault}", "give x, y, width, height")
    if (sides[2:] < 0).any():
        raise DataError(f"{where}: bbox is {sides[2]:g} x {sides[3]:g}", "width and height are not negative")
    return sides


def size(picture: Record, where: str) -> tuple[int, int]:
    """Width and height, 0 where not told; DataError where one is no whole number from 0 on."""
    sides = []
    for key in ("width", "height"):
        side = picture.get(key)
        side = 0 if side is None else side
        if type(side) not in (int, float) or not 0 <= side < 2**31 or side != int(side):
            raise DataError(f"{where}: {key} is {shown(side)}, expected a whole number", "correct or drop it")
        sides.append(int(side))
    return sides[0], sides[1]
