"""Findings about boxes and points: where they lie in the picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

import numpy as np

from kptool.check.values import Finding, Item, Part, numbers, worst_first
from kptool.crop import box_states
from kptool.dataset import Dataset, Mask
from kptool.errors import DataError
from kptool.geometry import Floats
from kptool.schema import check_mirror

SLIP: Final = 0.5  # px that a label may lie beyond the outermost pixels' edge: that is rounding


def findings(part: Part, outside: Literal["keep", "mask", "fail"]) -> Iterator[Finding]:
    """What is wrong with a part's boxes and points.

    Args:
        outside: the recipe's data.outside, which decides whether training refuses far points.
    """
    yield from _boxes(part)
    yield from _points(part, outside)
    try:
        check_mirror(part.dataset.schema, part.dataset.points)
    except DataError as error:
        yield Finding("mirror-pairs", "error", error.message, error.hint, ())


def _boxes(part: Part) -> Iterator[Finding]:
    boxes, sizes = part.dataset.boxes, part.dataset.sizes
    if boxes is None:
        return
    left, top, width, height = boxes.T
    states = box_states(boxes, sizes)
    wide, high = sizes.T
    over: Mask = np.asarray((left < 0) | (top < 0) | (left + width > wide) | (top + height > high))
    over &= (states == "") & sizes.all(1)
    remedy = "correct the box, or leave such rows out with --on-bad skip"
    texts: list[tuple[str, Literal["error", "warning"], str, str, Mask]] = [
        ("box-missing", "error", "rows without a box, where others have one", remedy, states == "missing"),
        ("box-size", "error", "boxes of no size that a photo has", remedy, states == "size"),
        ("box-empty", "error", "boxes without area", remedy, states == "area"),
        ("box-outside", "error", "boxes wholly outside the picture", remedy, states == "outside"),
        (
            "box-partly-outside",
            "warning",
            "boxes partly outside the picture",
            "nothing needs doing: crops are padded there",
            over,
        ),
    ]
    for kind, level, title, hint, rows in texts:
        if rows.any():
            items = [Item((part.row(n),), _shown(part.dataset, n, boxes[n])) for n in numbers(rows)]
            yield Finding(kind, level, title, hint, worst_first(items))


def _shown(dataset: Dataset, row: int, box: Floats) -> str:
    wide, high = dataset.sizes[row]
    inside = f" in {wide} x {high}" if wide else ""
    shown = ", ".join(f"{side:g}" for side in box.tolist())
    return f"({shown}){inside}" if np.isfinite(box).all() else ""


def _points(part: Part, outside: Literal["keep", "mask", "fail"]) -> Iterator[Finding]:
    dataset = part.dataset
    sizes = dataset.sizes.astype(np.float64)[:, None]
    known: Mask = dataset.labelled & np.asarray(dataset.sizes.all(1))[:, None]
    beyond = _beyond(dataset.points, np.zeros_like(sizes), sizes)
    far: Mask = known & ((dataset.points < -sizes) | (dataset.points >= 2 * sizes)).any(-1)
    if far.any():
        yield Finding(
            "point-far-outside",
            "error" if outside == "fail" else "warning",
            "points outside the picture by more than its size",
            'correct the label, or set data.outside to "mask" or "keep"',
            _named(part, far, beyond),
        )
    near: Mask = known & ~far & (beyond > SLIP)
    if near.any():
        yield Finding(
            "point-outside",
            "warning",
            "points outside the picture, px beyond its edge",
            "see whether the label is meant so: a face may well leave the picture",
            _named(part, near, beyond),
        )
    if dataset.boxes is not None:
        boxes = dataset.boxes[:, None]
        beyond = _beyond(dataset.points, boxes[..., :2], boxes[..., 2:])
        astray = known & (beyond > boxes[..., 2:].max(-1)) & (boxes[..., 2:] > 0).all(-1)
        if astray.any():
            yield Finding(
                "point-outside-box",
                "warning",
                "points outside their box by more than its size, px",
                "see whether box and points are of one face",
                _named(part, astray, beyond),
            )


def _beyond(points: Floats, corner: Floats, size: Floats) -> Floats:
    """(N, K) px that points lie beyond the edge of rectangles of covered pixels; negative or 0 inside."""
    beyond: Floats = np.maximum(corner - 0.5 - points, points - (corner + size - 0.5)).max(-1)
    return beyond


def _named(part: Part, where: Mask, beyond: Floats) -> tuple[Item, ...]:
    """An item for every row, with its points; the value is the farthest point's."""
    items = []
    for n in numbers(np.asarray(where.any(1))):
        points = sorted(numbers(where[n]), key=lambda k: -float(beyond[n, k]))
        names = [part.dataset.schema.points[k] for k in points]
        x, y = part.dataset.points[n, points[0]]
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        items.append(Item((part.row(n),), f"{names[0]} at ({x:.1f}, {y:.1f}){more}", float(beyond[n, points[0]])))
    return worst_first(items)
