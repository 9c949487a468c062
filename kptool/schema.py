"""What the points of a competition are called, and which become which in a mirror."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kptool.errors import DataError, UsageError, did_you_mean
from kptool.geometry import Floats


@dataclass(frozen=True)
class Schema:
    """The points of one competition, in file order.

    Attributes:
        name: the competition's slug.
        points: K names.
        mirror: a permutation of range(K) that is its own inverse: point k of a mirrored image is point mirror[k] of
            the original. Empty where the pairs are not known, and then nothing may be flipped.
        scale_pair: two points whose distance normalises errors (NME), or None.
        edges: pairs of points that a drawing joins.
        pupils: the points around each eye, whose mean is taken for the pupil (NME by inter-pupil distance), or None.
    """

    name: str
    points: tuple[str, ...]
    mirror: tuple[int, ...] = ()
    scale_pair: tuple[int, int] | None = None
    edges: tuple[tuple[int, int], ...] = ()
    pupils: tuple[tuple[int, ...], tuple[int, ...]] | None = None

    def __post_init__(self) -> None:
        if len(set(self.points)) != len(self.points):
            raise UsageError(f"{self.name}: a point is named twice", "every point needs a name of its own")
        if self.mirror and [self.mirror[m] for m in self.mirror] != list(range(len(self.points))):
            raise UsageError(f"{self.name}: mirror is not its own inverse", "list each left/right pair once")

    @property
    def columns(self) -> tuple[str, ...]:
        """The 2K coordinate columns: name_x, name_y, point by point."""
        return tuple(f"{point}_{axis}" for point in self.points for axis in "xy")

    def index(self, point: str) -> int:
        """The number of a named point; raises UsageError with the closest name."""
        if point not in self.points:
            raise UsageError(f"{self.name}: no point is called '{point}'", did_you_mean(point, self.points))
        return self.points.index(point)

    def select(self, points: list[str]) -> Schema:
        """The schema of some of the points, in the order given; what speaks of others is dropped.

        Raises:
            UsageError: an unknown point, with the closest name.
        """
        rows = [self.index(point) for point in points]
        place = {row: new for new, row in enumerate(rows)}
        whole = all(m in place for m in (self.mirror[row] for row in rows)) if self.mirror else False
        both = self.scale_pair is not None and all(p in place for p in self.scale_pair)
        eyes = self.pupils is not None and all(p in place for eye in self.pupils for p in eye)
        return Schema(
            self.name,
            tuple(points),
            tuple(place[self.mirror[row]] for row in rows) if whole else (),
            (place[self.scale_pair[0]], place[self.scale_pair[1]]) if both and self.scale_pair else None,
            tuple((place[a], place[b]) for a, b in self.edges if a in place and b in place),
            (tuple(place[p] for p in self.pupils[0]), tuple(place[p] for p in self.pupils[1]))
            if eyes and self.pupils
            else None,
        )


def make_schema(
    name: str,
    points: list[str],
    pairs: list[tuple[str, str]] | None = None,
    scale_pair: tuple[str, str] | None = None,
    edges: list[tuple[str, str]] | None = None,
    pupils: tuple[list[str], list[str]] | None = None,
) -> Schema:
    """A Schema from names. `pairs` None = unknown (no flips); a list pairs those and leaves the others alone."""
    bare = Schema(name, tuple(points))
    mirror = list(range(len(points)))
    for left, right in pairs or []:
        a, b = bare.index(left), bare.index(right)
        if (mirror[a], mirror[b]) != (a, b):
            raise UsageError(f"{name}: '{left}' or '{right}' stands in two mirror pairs", "list each pair once")
        mirror[a], mirror[b] = b, a
    return Schema(
        name,
        tuple(points),
        tuple(mirror) if pairs is not None else (),
        (bare.index(scale_pair[0]), bare.index(scale_pair[1])) if scale_pair else None,
        tuple((bare.index(a), bare.index(b)) for a, b in edges or []),
        (tuple(map(bare.index, pupils[0])), tuple(map(bare.index, pupils[1]))) if pupils else None,
    )


def mirror_points(points: npt.ArrayLike, schema: Schema) -> Floats:
    """Give points (..., K, 2) the names they have in the mirrored image; coordinates stay as they are.

    Raises:
        UsageError: the schema knows no pairs.
    """
    if not schema.mirror:
        raise UsageError(f"{schema.name}: no mirror pairs are known, so nothing can be flipped", "set mirror = 0")
    return np.asarray(points, dtype=np.float64)[..., list(schema.mirror), :]


def typical_shape(points: Floats, rounds: int = 10) -> Floats:
    """(K, 2) the mean of points (N, K, 2), every row of two or more moved and scaled onto it; NaN where unknown.

    A plain mean would mix where a face stands with which of its points are labelled: photos are of any size, faces are
    anywhere in them, and labels are missing. It starts as the row with most labels and has that row's size, so px of
    it are px of a face.
    """
    labelled: npt.NDArray[np.bool_] = np.asarray(np.isfinite(points).all(-1))
    rows = labelled.sum(1) >= 2
    if not rows.any():
        return np.full(points.shape[1:], np.nan)
    points, labelled = points[rows], labelled[rows]
    shape: Floats = points[labelled.sum(1).argmax()].copy()
    for _ in range(rounds):
        known = labelled & np.isfinite(shape).all(1)
        fits = known.sum(1) >= 2
        weight = known[fits, :, None] / known[fits].sum(1)[:, None, None]
        here, there = np.where(known[fits, :, None], points[fits], 0), np.where(known[fits, :, None], shape, 0)
        middle, target = (here * weight).sum(1, keepdims=True), (there * weight).sum(1, keepdims=True)
        spread = (weight * (here - middle) ** 2).sum((1, 2))
        gain = np.sqrt((weight * (there - target) ** 2).sum((1, 2)) / np.where(spread > 0, spread, np.inf))
        moved = (points[fits] - middle) * gain[:, None, None] + target
        counts = labelled[fits].sum(0)[:, None]
        total = np.where(labelled[fits, :, None], moved, 0).sum(0)
        shape = np.where(counts > 0, total / np.maximum(counts, 1), np.nan)
    return shape


def check_mirror(schema: Schema, points: Floats) -> None:
    """Hold the mirror pairs against the typical shape of labelled points (N, K, 2).

    The shape, flipped about its own middle and renamed, must fall back onto itself: every renamed point must land
    nearer to its own place than to its partner's, and a point without partner must lie near the midline.

    Raises:
        DataError: a pair that disagrees with the labels, named.
    """
    if not schema.mirror:
        return
    mean = typical_shape(points)
    known: npt.NDArray[np.bool_] = np.asarray(np.isfinite(mean).all(1))
    seen = known & known[list(schema.mirror)]
    if not seen.any():
        return
    middle = (mean[seen, 0] + mean[list(schema.mirror), 0][seen]).mean() / 2
    flipped = mirror_points(np.stack([2 * middle - mean[:, 0], mean[:, 1]], axis=-1), schema)
    width = np.ptp(mean[seen, 0])
    for k in np.flatnonzero(seen):
        own = np.linalg.norm(flipped[k] - mean[k])
        partner = schema.mirror[k]
        limit = width / 4 if partner == k else np.linalg.norm(flipped[k] - mean[partner])
        if own > limit:
            raise DataError(
                f"{schema.name}: mirror pair '{schema.points[k]}' / '{schema.points[partner]}' disagrees with the mean "
                f"shape of the labels (off by {own:.1f} px)",
                "correct the pairs in competition.toml",
            )
