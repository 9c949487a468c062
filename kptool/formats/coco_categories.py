"""What the categories of a COCO file say of the points: their names and the edges of the skeleton."""

from __future__ import annotations

from typing import Any

from kptool.annotations import numbered
from kptool.errors import DataError
from kptool.formats.coco_checks import Record, numbers, shown

Names = tuple[str, ...]
Edges = tuple[tuple[int, int], ...]


def points_of(
    categories: dict[int | str, Record], annotations: dict[int | str, Record], place: str
) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]]:
    """Names and edges; numbers for names where no category tells any, as many as the first annotation has points."""
    found = {number: c for number, c in categories.items() if c.get("keypoints")}
    told = {number: _names_and_edges(c, f"{place}: category {number}") for number, c in found.items()}
    kinds = list(told)
    for other in kinds[1:]:
        if told[other] != told[kinds[0]]:
            both = f"{called(categories, kinds[0])} and {called(categories, other)}"
            raise DataError(f"{place}: categories {both} have different points", "keep one category")
    if kinds:
        return told[kinds[0]]
    for number, annotation in annotations.items():
        if (given := annotation.get("keypoints")) not in (None, []):
            count = len(numbers(given, f"{place}: annotation {number}", "keypoints"))
            if count and count % 3 == 0:
                return numbered(count // 3), ()
            raise DataError(
                f"{place}: annotation {number}: keypoints has {count} numbers, no multiple of 3", "give x, y, v"
            )
    if any(category.get("keypoints") == [] for category in categories.values()):
        return (), ()  # boxes only, as kptool writes them where no point is known
    raise DataError(f"{place}: no category and no annotation has keypoints", "is this a keypoints file?")


def _names_and_edges(category: Record, where: str) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]]:
    names, skeleton = category["keypoints"], category.get("skeleton") or []
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise DataError(f"{where}: keypoints is {shown(names)}, expected a list of names", "name the points")
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{where}: two points are called {shown(twice)}", "every point needs a name of its own")
    if not isinstance(skeleton, list):
        raise DataError(f"{where}: skeleton is {shown(skeleton)}, expected a list of pairs", "correct or drop it")
    return tuple(names), tuple(_edge(pair, len(names), where) for pair in skeleton)


def _edge(pair: Any, count: int, where: str) -> tuple[int, int]:
    right = isinstance(pair, list) and len(pair) == 2 and all(type(p) is int and 1 <= p <= count for p in pair)
    if not right:
        raise DataError(f"{where}: skeleton holds {shown(pair)}", f"edges are pairs of points from 1 to {count}")
    return pair[0] - 1, pair[1] - 1


def called(categories: dict[int | str, Record], number: int | str) -> str:
    """A category for a message: its id and its name."""
    return f"{number} ({shown(categories[number].get('name', ''))})"
