"""Findings about pictures that stand in the data more than once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from typing import Final, NamedTuple

import numpy as np

from kptool import lookalikes
from kptool.check.values import Finding, Item, Part, Row, worst_first
from kptool.dataset import Dataset, Ints
from kptool.duplicates import connect
from kptool.geometry import Floats

OVERLAP: Final = 0.5  # intersection over union of two boxes in equal pictures, from which they mark one face
DISAGREE: Final = 0.05  # of the face's size: median distance of the labels of two copies
DISAGREE_ONE: Final = 0.15  # of the face's size: largest distance
COMPARED: Final = 50  # rows of a group whose labels are held against each other, by id


class Copies(NamedTuple):
    """Which rows show one picture; rows count through all parts.

    Attributes:
        rows: all rows by part and id.
        group: (N,) rows of one group are equal byte for byte; -1 for rows that cannot be used.
        near: (P, 2) pairs of rows that are one photo, each a group's first.
        mirrored: (Q, 2) pairs of rows that are a photo and its mirror image.
    """

    rows: list[Row]
    group: Ints
    near: Ints
    mirrored: Ints


def find(parts: list[Part]) -> Copies:
    """Look for copies in all parts together."""
    rows = [part.row(n) for part in parts for n in range(len(part.dataset))]
    group = equal_groups(parts)
    first: dict[int, int] = {}  # by id and not by place, so that the order of rows does not matter
    for n in sorted(np.flatnonzero(group >= 0).tolist(), key=lambda n: rows[n].place):
        first.setdefault(int(group[n]), n)
    chosen = list(first.values())
    starts = np.cumsum([0, *(len(part.dataset) for part in parts)])
    if len({part.thumbnails.shape[1:] for part in parts}) > 1 or not chosen:
        none = np.empty((0, 2), dtype=np.int64)
        return Copies(rows, group, none, none)
    which = np.searchsorted(starts, chosen, side="right") - 1
    images = np.stack([parts[p].thumbnails[n - starts[p]] for n, p in zip(chosen, which.tolist(), strict=True)])
    found = lookalikes.find(images)
    back = np.array(chosen, dtype=np.int64)
    return Copies(rows, group, back[found.same], back[found.mirrored])


def equal_groups(parts: list[Part]) -> Ints:
    """(N,) number of the rows that are equal: pictures of the same bytes, and boxes, if any, that mark one face."""
    same: dict[str, list[int]] = defaultdict(list)
    contents = [str(content) for part in parts for content in part.contents]
    usable = np.concatenate([part.usable for part in parts])
    boxes = np.concatenate([part.dataset.every_box for part in parts])
    for n in np.flatnonzero(usable):
        same[contents[n]].append(int(n))
    edges = [edge for members in same.values() for edge in _linked(members, boxes)]
    group = connect(len(usable), np.array(edges, dtype=np.int64).reshape(-1, 2))
    return np.where(usable, group, -1)


def findings(parts: list[Part], copies: Copies) -> Iterator[Finding]:
    """What is wrong with copies within each part and between the parts."""
    groups = _groups(copies)
    yield from _disagreeing(parts, copies, groups)
    kinds = [("equal", groups), ("nearly equal", copies.near.tolist()), ("mirrored", copies.mirrored.tolist())]
    across = [
        item
        for how, sets in kinds
        for item in worst_first([_item(copies, members, how) for members in sets if _both(copies, members)])
    ]
    if across:
        yield Finding(
            "copies-train-test",
            "warning",
            "pictures of the test set that stand in the training set too",
            "scores on them say little of new pictures",
            tuple(across),
        )
    equal = [item for members in groups for item in _parts(copies, members)]
    yield from _finding("equal-copies", "groups of rows whose pictures are equal byte for byte", equal)
    for kind, found, title in (
        ("near-copies", copies.near, "pairs of pictures that are one photo"),
        ("mirrored-copies", copies.mirrored, "pairs of a photo and its mirror image"),
    ):
        items = [_item(copies, pair) for pair in found.tolist() if not _both(copies, pair)]
        yield from _finding(kind, title, items)


def distances(one: Floats, other: Floats) -> tuple[float, float, float] | None:
    """Median and largest distance of points (K, 2) labelled in both, px, and the size of the face they span, px.

    None where they share no point. The size is the diagonal of the rectangle around all labels; 0 for a single point.
    """
    away = np.linalg.norm(one - other, axis=1)
    away = away[np.isfinite(away)]
    if not len(away):
        return None
    both = np.concatenate([one, other])
    both = both[np.isfinite(both).all(1)]
    return float(np.median(away)), float(away.max()), float(np.linalg.norm(np.ptp(both, axis=0)))


def _disagreeing(parts: list[Part], copies: Copies, groups: list[list[int]]) -> Iterator[Finding]:
    points = np.concatenate([part.dataset.points for part in parts])
    sizes = np.concatenate([_face_sizes(part.dataset) for part in parts])
    items = []
    for members in groups:
        worst: tuple[float, tuple[int, int], str] | None = None
        for a, b in combinations(members[:COMPARED], 2):
            if (found := distances(points[a], points[b])) is None:
                continue
            median, most, span = found
            size = max(sizes[a], span if np.isfinite(points[[a, b]]).all(-1).sum(1).min() > 2 else 0.0)
            if median > DISAGREE * size or most > DISAGREE_ONE * size:
                text = f"median {median:.1f} px, at most {most:.1f} px apart"
                worst = max(worst or (0.0, (a, b), ""), (most / size, (a, b), text))
        if worst:
            items.append(Item(tuple(copies.rows[n] for n in worst[1]), worst[2], worst[0]))
    if items:
        yield Finding(
            "copies-disagree",
            "warning",
            f"equal pictures whose labels differ (median over {DISAGREE:.0%} of the face, or one over "
            f"{DISAGREE_ONE:.0%}); largest distance over the face's size",
            "keep the right row; what differs between copies bounds any score",
            worst_first(items),
        )


def _finding(kind: str, title: str, items: list[Item]) -> Iterator[Finding]:
    if items:
        remedy = "folds keep them together; leave out all but one if they are not meant"
        yield Finding(kind, "warning", title, remedy, worst_first(items))


def _groups(copies: Copies) -> list[list[int]]:
    """The groups of two and more, each by id."""
    found: dict[int, list[int]] = defaultdict(list)
    for n in np.flatnonzero(copies.group >= 0):
        found[int(copies.group[n])].append(int(n))
    return [sorted(members, key=lambda n: copies.rows[n].place) for members in found.values() if len(members) > 1]


def _parts(copies: Copies, members: list[int]) -> list[Item]:
    """An item for each part that has several of a group's rows."""
    names = sorted({copies.rows[n].part for n in members})
    split = [[n for n in members if copies.rows[n].part == name] for name in names]
    return [_item(copies, some) for some in split if len(some) > 1]


def _item(copies: Copies, members: list[int], detail: str = "") -> Item:
    return Item(tuple(sorted((copies.rows[n] for n in members), key=lambda row: row.place)), detail)


def _both(copies: Copies, members: list[int]) -> bool:
    """Whether rows stand in more than one part."""
    return len({copies.rows[n].part for n in members}) > 1


def _linked(members: list[int], boxes: Floats) -> list[tuple[int, int]]:
    """Pairs of rows of one picture that mark one face; a row without box marks the whole picture."""
    if len(members) < 2 or np.isnan(boxes[members]).any(1).all():
        return [(members[0], other) for other in members[1:]]
    return [(a, b) for a, b in combinations(members, 2) if _overlap(boxes[a], boxes[b]) >= OVERLAP]


def _overlap(a: Floats, b: Floats) -> float:
    """Intersection over union of two boxes; 1 for two that are missing, 0 for one."""
    if np.isnan(a).any() or np.isnan(b).any():
        return float(np.isnan(a).any() and np.isnan(b).any())
    sides = np.minimum(a[:2] + a[2:], b[:2] + b[2:]) - np.maximum(a[:2], b[:2])
    shared = float(np.prod(np.maximum(sides, 0)))
    return shared / max(float(np.prod(a[2:]) + np.prod(b[2:])) - shared, 1e-300)


def _face_sizes(dataset: Dataset) -> Floats:
    """(N,) px for rows whose labels span nothing: the diagonal of the box, or of the picture."""
    corners = dataset.sizes.astype(np.float64)
    if dataset.boxes is not None:
        corners = np.where(np.isfinite(dataset.boxes).all(1, keepdims=True), dataset.boxes[:, 2:], corners)
    few = dataset.labelled.sum(1) <= 2
    return np.where(few, np.hypot(*corners.T), 1e-9)
