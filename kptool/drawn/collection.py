"""A training and a test set of drawn faces, with the flaws of the real Kaggle set in their real proportions.

The real training set (7049 rows, measured): 2282 rows of the 15-point scheme, 142 of them with holes; 4767 rows of the
four-point scheme, 12 of them with a hole. In its test set 593 images are asked for 15 points (37 with holes) and 1190
for four.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from kptool.drawn.anatomy import FOUR, NAMES, landmarks
from kptool.drawn.face import Face, sample_build, sample_pose
from kptool.drawn.look import Look, sample_look
from kptool.drawn.pen import SIZE
from kptool.drawn.photo import Shot, expose, paint, sample_shot
from kptool.geometry import Bytes, Floats, mirror

Ints = npt.NDArray[np.int64]

VERSION = 2
"""Raise it with every change to the drawing or to the set's make-up: the cache is keyed by it."""

SEED = 1
TRAIN, TRAIN_FULL = 1000, 324
TEST, TEST_FULL = 250, 83

NOISE = (0.5, 1.0)
"""Standard deviation of the labels, px: 15-point scheme, four-point scheme."""

WRONG_SHIFT = 15.0
"""How far the labels of some rows are moved, px."""

HOLES = [[7], [9], [14], [7], [9], [7, 9], [3], [7], [12], [9], [11, 12, 13, 14], [11], [13, 14], [2, 3], [7], [14]]
"""The points missing from rows of the 15-point scheme, about as often as in the real set."""

MIRROR = [NAMES.index(name.replace("left", "*").replace("right", "left").replace("*", "right")) for name in NAMES]

SAME, ALIKE, MIRRORED = 0, 1, 2
"""What joins two rows: the same picture; the same face in another light; the picture mirrored."""


@dataclass(frozen=True)
class Collection:
    """Everything that is drawn; points stand in the order of NAMES.

    Attributes:
        train_images: (TRAIN, 1, SIZE, SIZE) uint8; the rows of the 15-point scheme stand first, as in the real set.
        train_points: (TRAIN, 15, 2), NaN where not labelled.
        test_images: (TEST, 1, SIZE, SIZE) uint8, the images asked for 15 points first.
        test_points: (TEST, 15, 2), NaN where not asked for.
        wrong: (W,) training rows whose labels were made wrong on purpose.
        copies: (C, 3) training rows as original, copy, and what joins them.
    """

    train_images: Bytes
    train_points: Floats
    test_images: Bytes
    test_points: Floats
    wrong: Ints
    copies: Ints

    @property
    def digest(self) -> str:
        """sha256 over the version, the seed and everything drawn, hex."""
        running = hashlib.sha256(f"{VERSION} {SEED}".encode())
        for field in fields(self):
            array: npt.NDArray[Any] = getattr(self, field.name)
            running.update(f"{field.name} {array.dtype.name} {array.shape}".encode())
            running.update(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).data)
        return running.hexdigest()


def draw() -> Collection:
    """Draw both sets; the same on every call."""
    full, four = _order(0, TRAIN_FULL, TRAIN)
    copies = _copies(full, four)
    wrong = [next(side) for side in (full, four, full, four, full, four, four, four)]  # either scheme, every kind
    points = _points(0, TRAIN, TRAIN_FULL, copies)
    points = _with_holes(points, [next(full) for _ in range(20)], [next(four) for _ in range(2)])
    images = _images(0, TRAIN, copies)
    for row, copy, kind in copies:
        if kind == MIRRORED:
            points[copy] = mirror(SIZE)(points[row])[MIRROR]
    test_full, _ = _order(1, TEST_FULL, TEST)
    test_points = _with_holes(_points(1, TEST, TEST_FULL, []), [next(test_full) for _ in range(5)], [])
    return Collection(
        train_images=images,
        train_points=_spoil(points, wrong),
        test_images=_images(1, TEST, []),
        test_points=test_points,
        wrong=np.sort(np.array(wrong, dtype=np.int64)),
        copies=np.array(copies, dtype=np.int64),
    )


@cache
def face_of(split: int, row: int) -> tuple[Face, Look, Shot]:
    """The numbers of one face; split 0 is the training set, 1 the test set."""
    rng = np.random.default_rng([SEED, split, row])
    return Face(sample_pose(rng), sample_build(rng)), sample_look(rng), sample_shot(rng)


def _order(split: int, full: int, count: int) -> tuple[Iterator[int], Iterator[int]]:
    """The rows of either scheme, shuffled, to deal out roles from so that none has two."""
    rng = np.random.default_rng([SEED, 2, split])
    return iter(rng.permutation(full).tolist()), iter((full + rng.permutation(count - full)).tolist())


def _copies(full: Iterator[int], four: Iterator[int]) -> list[tuple[int, int, int]]:
    """15 groups of equal pictures (3 across the schemes, 3 of three), 8 look-alikes, 3 mirrored copies."""
    out = []
    for kind, first, second, count in (
        (SAME, full, full, 4),
        (SAME, four, four, 5),
        (SAME, full, four, 3),
        (ALIKE, full, full, 3),
        (ALIKE, four, four, 5),
        (MIRRORED, full, full, 1),
        (MIRRORED, four, four, 2),
    ):
        out += [(next(first), next(second), kind) for _ in range(count)]
    for _ in range(3):
        row = next(four)
        out += [(row, next(four), SAME), (row, next(four), SAME)]
    return out


def _points(split: int, count: int, full: int, copies: list[tuple[int, int, int]]) -> Floats:
    """(count, 15, 2) labels with noise; rows from `full` on have four points. Half of the equal pairs agree."""
    face, hand = np.arange(count), np.arange(count)
    for k, (row, copy, kind) in enumerate(copies):
        face[copy] = row if kind != MIRRORED else copy
        hand[copy] = row if kind == SAME and k % 2 else copy
    points = np.full((count, len(NAMES), 2), np.nan)
    for row in range(count):
        few = row >= full
        seen = list(FOUR) if few else slice(None)
        noise = np.random.default_rng([SEED, 3, split, hand[row]]).standard_normal((len(NAMES), 2))
        exact = landmarks(face_of(split, face[row])[0], few)
        points[row, seen] = (exact + NOISE[few] * noise)[seen]
    return points.round(4)  # so that the last bits of this machine's sine and cosine do not reach the digest


def _images(split: int, count: int, copies: list[tuple[int, int, int]]) -> Bytes:
    """(count, 1, SIZE, SIZE) the pictures."""
    images = np.zeros((count, 1, SIZE, SIZE), dtype=np.uint8)
    for row in sorted(set(range(count)) - {copy for _, copy, _ in copies}):
        face, look, shot = face_of(split, row)
        images[row, 0] = expose(paint(face, look), shot)
    for k, (row, copy, kind) in enumerate(copies):
        if kind == ALIKE:
            face, look, shot = face_of(split, row)
            other = replace(shot, seed=shot.seed + 1, mean=shot.mean + (-12, 0, 9)[k % 3])
            images[copy, 0] = expose(paint(face, look), other)
        else:
            images[copy] = images[row, :, :, ::-1] if kind == MIRRORED else images[row]
    return images


def _with_holes(points: Floats, full: list[int], four: list[int]) -> Floats:
    """The labels with a few of them missing: HOLES in rows of 15 points, the lip in rows of four."""
    points = points.copy()
    for k, row in enumerate(full):
        points[row, HOLES[k % len(HOLES)]] = np.nan
    points[four, FOUR[-1]] = np.nan
    return points


def _spoil(points: Floats, rows: list[int]) -> Floats:
    """The labels with those of `rows` made wrong: left and right swapped, moved, or those of another face."""
    spoilt = points.copy()
    labelled = np.isfinite(points[..., 0])
    for k, row in enumerate(rows):
        if k % 3 == 0:
            spoilt[row] = points[row][MIRROR]
        elif k % 3 == 1:
            turn = 2.0 * k
            spoilt[row] = (points[row] + WRONG_SHIFT * np.array([np.cos(turn), np.sin(turn)])).round(4)
        else:
            alike = np.flatnonzero(np.equal(labelled, labelled[row]).all(1))
            far = np.nanmean(np.abs(points[alike] - points[row]), axis=(1, 2))
            spoilt[row] = points[alike[far.argmax()]]
    return spoilt
