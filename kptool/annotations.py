"""What an annotation file says, before any picture is opened: the value that all annotation formats meet in.

Every number is in kptool's pixels: the centre of the first pixel is (0, 0), points are x, y, boxes are left, top,
width, height of the pixels covered. A format that counts from 1 or in fractions is put right by its own parser.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from kptool.dataset import Ints, Mask, Names
from kptool.geometry import Floats


@dataclass(frozen=True)
class Annotations:
    """N faces (or other objects) with K points each; several may stand in one picture.

    Attributes:
        root: the folder that `files` are relative to.
        files: (N,) picture of each row, under root, with forward slashes.
        names: K point names; "00", "01", ... where the format has none.
        points: (N, K, 2) float64; NaN where not labelled, in both coordinates or none.
        boxes: (N, 4) float64; NaN in all four where a row has none.
        occluded: (N, K) True where a labelled point is hidden; never where there is no label.
        sizes: (N, 2) W and H of the pictures as the file tells them, 0 where it does not.
        edges: pairs of points that a drawing joins.
    """

    root: Path
    files: Names
    names: tuple[str, ...]
    points: Floats
    boxes: Floats
    occluded: Mask
    sizes: Ints
    edges: tuple[tuple[int, int], ...] = field(default=())

    def __post_init__(self) -> None:
        n, k = len(self.files), len(self.names)
        assert self.points.shape == (n, k, 2), self.points.shape
        assert self.boxes.shape == (n, 4), self.boxes.shape
        assert self.occluded.shape == (n, k), self.occluded.shape
        assert self.sizes.shape == (n, 2), self.sizes.shape

    def __len__(self) -> int:
        return len(self.files)

    @property
    def labelled(self) -> Mask:
        """(N, K) True where a point has both its coordinates."""
        return np.asarray(np.isfinite(self.points).all(-1))

    def take(self, rows: Ints | Mask) -> Annotations:
        """The rows of an index, in its order."""
        names = ("files", "points", "boxes", "occluded", "sizes")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


def make(
    root: Path,
    files: list[str],
    names: tuple[str, ...],
    points: Floats,
    boxes: Floats | None = None,
    occluded: Mask | None = None,
    sizes: Ints | None = None,
    edges: tuple[tuple[int, int], ...] = (),
) -> Annotations:
    """Annotations with what a format does not tell filled in: no boxes, nothing occluded, sizes unknown."""
    n, k = len(files), len(names)
    return Annotations(
        root=root,
        files=np.array(files, dtype=np.str_),
        names=names,
        points=np.asarray(points, dtype=np.float64).reshape(n, k, 2),
        boxes=np.full((n, 4), np.nan) if boxes is None else np.asarray(boxes, dtype=np.float64).reshape(n, 4),
        occluded=np.zeros((n, k), dtype=np.bool_) if occluded is None else occluded,
        sizes=np.zeros((n, 2), dtype=np.int64) if sizes is None else np.asarray(sizes, dtype=np.int64).reshape(n, 2),
        edges=edges,
    )


def numbered(count: int) -> tuple[str, ...]:
    """Names for points that have none: "00" to "67"; as wide as the last one needs, at least two digits."""
    width = max(2, len(str(count - 1)))
    return tuple(f"{k:0{width}d}" for k in range(count))


@dataclass(frozen=True)
class Holds:
    """What a format can hold; what it cannot is lost in `kept`, and told by `lost`.

    Attributes:
        names: point names.
        boxes: a box beside the points.
        occluded: labelled but hidden points.
        missing: points that are not labelled, in a row that has others.
        empty: rows (pictures) without any labelled point.
        boxless: rows without a box; a format that needs one gets the hull of the row's points.
        several: several faces in one picture.
        sizes: the pictures' sizes.
        edges: which points a drawing joins.
        digits: decimals of a coordinate; None = every bit.
    """

    names: bool = True
    boxes: bool = True
    occluded: bool = True
    missing: bool = True
    empty: bool = True
    boxless: bool = True
    several: bool = True
    sizes: bool = True
    edges: bool = True
    digits: int | None = None


def kept(annotations: Annotations, holds: Holds) -> Annotations:
    """What is left of annotations in a format: read(write(a)) == kept(a, holds)."""
    rows = annotations.take(_fits(annotations, holds))
    points, boxes = rows.points, rows.boxes if holds.boxless else boxed(rows)
    if holds.digits is not None:
        points, boxes = np.round(points, holds.digits) + 0.0, np.round(boxes, holds.digits) + 0.0
    return replace(
        rows,
        names=rows.names if holds.names else numbered(len(rows.names)),
        points=points,
        boxes=boxes if holds.boxes else np.full_like(boxes, np.nan),
        occluded=rows.occluded if holds.occluded else np.zeros_like(rows.occluded),
        sizes=rows.sizes if holds.sizes else np.zeros_like(rows.sizes),
        edges=rows.edges if holds.edges else (),
    )


def boxed(annotations: Annotations) -> Floats:
    """(N, 4) boxes, the hull of the labelled points (whole pixels) where a row has none; NaN where it has neither."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # rows without a label stay NaN
        # Rounded first: 4.999999, come back from a fraction of the width, was 5.
        points = np.round(annotations.points, 6)
        low = np.floor(np.nanmin(points, axis=1, initial=np.inf, where=annotations.labelled[..., None]))
        high = np.ceil(np.nanmax(points, axis=1, initial=-np.inf, where=annotations.labelled[..., None]))
        hull = np.concatenate([low, high - low + 1], axis=1)
    hull[~annotations.labelled.any(1)] = np.nan
    return np.where(np.isfinite(annotations.boxes), annotations.boxes, hull)


def lost(annotations: Annotations, holds: Holds, format_name: str) -> list[str]:
    """One line for everything of these annotations that a format cannot hold; empty where nothing is lost."""
    return [f"{format_name} cannot hold {what}" for what in _losses(annotations, holds)]


def _losses(a: Annotations, holds: Holds) -> Iterator[str]:
    fits, rest = _fits(a, holds), kept(a, holds)
    if not fits.all():
        yield f"{int((~fits).sum())} of {len(a)} rows, left out: {_why(a, holds)}; the first is {a.files[~fits][0]}"
    if not holds.names and a.names != numbered(len(a.names)):
        yield "point names: they are numbered"
    if not holds.boxes and np.isfinite(a.boxes).any():
        yield f"boxes ({int(np.isfinite(a.boxes).all(1).sum())})"
    if not holds.boxless and (bare := np.isnan(a.boxes).any(1) & fits & a.labelled.any(1)).any():
        yield f"rows without a box: {int(bare.sum())} get the hull of their points"
    if not holds.occluded and a.occluded.any():
        yield f"occlusion: {int(a.occluded.sum())} hidden points become visible ones"
    if not holds.sizes and a.sizes.any():
        yield "picture sizes"
    if not holds.edges and a.edges:
        yield f"edges ({len(a.edges)})"
    there = a.take(fits)
    moved = np.nan_to_num(np.abs(rest.points - there.points))
    if moved.size and moved.max() > 0:
        yield f"fractions: coordinates are rounded to {holds.digits} decimals, up to {moved.max():.3g} px"


def _fits(a: Annotations, holds: Holds) -> Mask:
    """(N,) rows that a format can hold at all."""
    some, every = a.labelled.any(1), a.labelled.all(1)
    fits = np.ones(len(a), dtype=np.bool_)
    if not holds.missing:
        fits &= every | (~some & holds.empty)
    if not holds.empty:
        fits &= some
    if not holds.boxless:
        # A picture without any face can be told, a face without place beside others in one picture cannot.
        _, picture, rows = np.unique(a.files, return_inverse=True, return_counts=True)
        alone = rows[picture.reshape(-1)] == 1
        fits &= np.isfinite(boxed(a)).all(1) | (~some & alone & holds.empty)
    if not holds.several:
        first = np.zeros(len(a), dtype=np.bool_)
        first[np.unique(np.where(fits, a.files, ""), return_index=True)[1]] = True
        fits &= first
    return fits


def _why(a: Annotations, holds: Holds) -> str:
    reasons = [
        (not holds.missing or not holds.empty, "points not labelled"),
        (not holds.boxless and not np.isfinite(boxed(a)).all(), "neither a box nor points to draw one around"),
        (not holds.several and len(np.unique(a.files)) < len(a), "a second face in one picture"),
    ]
    return ", ".join(text for true, text in reasons if true)
