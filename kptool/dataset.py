"""The values that flow: what was read, and what was predicted. Frozen, numpy only, NaN = not labelled."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kptool.geometry import Bytes, Floats
from kptool.schema import Schema

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Names = npt.NDArray[np.str_]


def rows_of(ids: Names, wanted: Names) -> Ints:
    """(n,) where each of `wanted` stands in `ids`; all of them must."""
    order = np.argsort(ids)
    rows: Ints = order[np.searchsorted(ids, wanted, sorter=order)]
    assert np.array_equal(ids[rows], wanted), "an id is missing"
    return rows


@dataclass(frozen=True)
class Photos:
    """Pictures on disk, one a row; rows may share one picture that shows several faces.

    A picture's own frame is the one a viewer shows: its EXIF orientation is applied before anything is measured.

    Attributes:
        root: the folder that the names are relative to.
        files: (N,) names under root, with forward slashes.
        sizes: (N, 2) int, W and H in px, upright.
    """

    root: Path
    files: Names
    sizes: Ints

    def __post_init__(self) -> None:
        assert self.sizes.shape == (len(self.files), 2), self.sizes.shape

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, rows: Ints) -> Photos:
        return Photos(self.root, self.files[rows], self.sizes[rows])

    def path(self, row: int) -> Path:
        """Where the picture of a row stands."""
        return self.root / str(self.files[row])


@dataclass(frozen=True)
class Dataset:
    """Images with their labels, as read.

    Attributes:
        ids: (N,) str, unique; what a message, a report and a submission call the image.
        images: (N, C, H, W) uint8, may be memory-mapped; or photos of any size, still on disk.
        points: (N, K, 2) float64 x, y in the image's own pixels; NaN where not labelled.
        schema: the K points.
        digest: hex digest of the files this was read from; what caches, folds and runs are keyed by.
        groups: (N,) int or None; images that must share a fold whatever they look like (a person, a film).
        boxes: (N, 4) float64 or None: left, top, width, height of the pixels that the face covers, so that it spans
            left - 0.5 to left + width - 0.5; NaN where a row has none.
        occluded: (N, K) or None; True where a labelled point is hidden behind something. Occluded is labelled.
    """

    ids: Names
    images: Bytes | Photos
    points: Floats
    schema: Schema
    digest: str
    groups: Ints | None = None
    boxes: Floats | None = None
    occluded: Mask | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.images, Photos):
            assert self.images.ndim == 4, self.images.shape
            assert self.images.dtype == np.uint8, self.images.dtype
        assert self.boxes is None or self.boxes.shape == (len(self.ids), 4), self.boxes.shape
        assert self.points.shape == (len(self.ids), len(self.schema.points), 2), self.points.shape
        assert len(self.images) == len(self.ids) == len(np.unique(self.ids))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def labelled(self) -> Mask:
        """(N, K) True where a point has both its coordinates."""
        return np.asarray(np.isfinite(self.points).all(-1))

    @property
    def pixels(self) -> Bytes:
        """The images (N, C, H, W) of a dataset that holds them as one array."""
        assert not isinstance(self.images, Photos), "photos are still on disk"
        return self.images

    @property
    def every_box(self) -> Floats:
        """(N, 4) the boxes; NaN where there are none at all, too."""
        return np.full((len(self), 4), np.nan) if self.boxes is None else self.boxes

    @property
    def sizes(self) -> Ints:
        """(N, 2) W and H of each image, px."""
        if isinstance(self.images, Photos):
            return self.images.sizes
        return np.broadcast_to(np.array([self.images.shape[3], self.images.shape[2]]), (len(self), 2))

    def take(self, index: npt.ArrayLike) -> Dataset:
        """The rows of `index` (int or bool), in its order; the digest says which rows they are."""
        rows = np.arange(len(self))[index]  # type: ignore[index]
        digest = hashlib.sha256(self.digest.encode() + rows.astype("<i8").tobytes()).hexdigest()
        return replace(
            self,
            ids=self.ids[rows],
            images=self.images[rows],
            points=self.points[rows],
            digest=digest,
            groups=None if self.groups is None else self.groups[rows],
            boxes=None if self.boxes is None else self.boxes[rows],
            occluded=None if self.occluded is None else self.occluded[rows],
        )


@dataclass(frozen=True)
class Predictions:
    """Points found in images, always in the ORIGINAL image's pixels and never clipped.

    Attributes:
        ids: (N,) str.
        points: (N, K, 2) float64.
        spread: (N, K) float64, the model's own standard deviation per coordinate in px; NaN where a head has none.
        schema: the K points.
    """

    ids: Names
    points: Floats
    spread: Floats
    schema: Schema


@dataclass(frozen=True)
class Lookup:
    """The values a competition asks for, in the order of its table.

    Attributes:
        row_ids: (R,) int, what the submission's first column holds.
        image: (R,) int, a row of the test Dataset.
        point: (R,) int, a point of the schema.
        axis: (R,) int, 0 = x, 1 = y.
        digest: hex digest of the table.
    """

    row_ids: Ints
    image: Ints
    point: Ints
    axis: Ints
    digest: str

    def asked(self, images: int, points: int) -> Mask:
        """(images, points) True where at least one coordinate is asked for."""
        wanted = np.zeros((images, points), dtype=np.bool_)
        wanted[self.image, self.point] = True
        return wanted
