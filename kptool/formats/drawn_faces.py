"""The drawn faces of kptool.drawn as a competition: what `kptool cv demo` reads. Needs no files.

The first call draws them and keeps them in the cache folder; a damaged or unwritable cache costs only the time to draw
them again.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np

from kptool.dataset import Dataset, Ints, Lookup
from kptool.drawn.anatomy import NAMES
from kptool.drawn.collection import SEED, VERSION, Collection, draw
from kptool.errors import UsageError, did_you_mean
from kptool.files import cache_folder, write_atomic, write_text
from kptool.geometry import Bytes, Floats
from kptool.schema import Schema


@dataclass(frozen=True)
class Truth:
    """What a competitor does not see.

    Attributes:
        points: (N, K, 2) labels of the test images, NaN where the lookup table does not ask.
        wrong: (W,) rows of the training set whose labels were made wrong on purpose.
        copies: (C, 3) rows of the training set as original, copy, and what joins them: 0 the same picture, 1 the same
            face with other noise or brightness, 2 mirrored.
    """

    points: Floats
    wrong: Ints
    copies: Ints


def read_train(source: Path | None, schema: Schema) -> Dataset:  # noqa: ARG001 - every format has this signature
    """The labelled images.

    Raises:
        UsageError: the schema names a point that is not drawn.
    """
    order, drawn = _order(schema), load()
    return _dataset("face", drawn.train_images, drawn.train_points[:, order], schema, drawn.digest)


def read_test(source: Path | None, schema: Schema) -> Dataset:  # noqa: ARG001
    """The images to be answered; every point is NaN. Raises UsageError as `read_train` does."""
    order, drawn = _order(schema), load()
    blank = np.full_like(drawn.test_points[:, order], np.nan)
    return _dataset("test", drawn.test_images, blank, schema, drawn.digest)


def read_lookup(source: Path | None, test: Dataset) -> Lookup:  # noqa: ARG001
    """The values asked for, image by image, point by point, x before y; RowId counts from 1.

    Raises:
        UsageError: the schema names a point that is not drawn.
    """
    drawn = load()
    image, point, axis = np.nonzero(np.isfinite(drawn.test_points[:, _order(test.schema)]))
    rows = np.arange(1, len(image) + 1, dtype=np.int64)
    table = np.stack([rows, image, point, axis], axis=-1).astype("<i8")
    return Lookup(rows, image, point, axis, hashlib.sha256(table.tobytes()).hexdigest())


def read_sample(source: Path | None) -> Ints:  # noqa: ARG001
    """(R,) the RowIds a submission must hold, for the points of NAMES."""
    return np.arange(1, np.isfinite(load().test_points).sum() + 1, dtype=np.int64)


def truth(schema: Schema) -> Truth:
    """The hidden labels of the test set, and the training rows that were tampered with."""
    order, drawn = _order(schema), load()
    return Truth(drawn.test_points[:, order], drawn.wrong, drawn.copies)


def load() -> Collection:
    """Both sets, from the cache if its digest is right, else drawn and cached."""
    folder = cache_folder() / "drawn-faces" / f"{VERSION}-{SEED}"
    names = [field.name for field in fields(Collection)]
    with contextlib.suppress(OSError, ValueError, EOFError):  # missing or damaged: draw it again
        cached = Collection(*(np.load(folder / f"{name}.npy", allow_pickle=False) for name in names))
        if cached.digest == (folder / "digest.txt").read_text(encoding="utf-8"):
            return cached
    drawn = draw()
    with contextlib.suppress(OSError):  # a full or read-only disk costs time at the next call, nothing else
        for name in names:
            write_atomic(folder / f"{name}.npy", partial(_save, getattr(drawn, name)))
        write_text(folder / "digest.txt", drawn.digest)
    return drawn


def _save(array: Bytes | Floats | Ints, path: Path) -> None:
    with path.open("wb") as file:  # an open file, because np.save adds .npy to a temporary name
        np.save(file, array, allow_pickle=False)


def _order(schema: Schema) -> list[int]:
    for point in schema.points:
        if point not in NAMES:
            raise UsageError(f"{schema.name}: drawn faces have no point '{point}'", did_you_mean(point, NAMES))
    return [NAMES.index(point) for point in schema.points]


def _dataset(name: str, images: Bytes, points: Floats, schema: Schema, digest: str) -> Dataset:
    ids = np.array([f"{name}-{row:04d}" for row in range(1, len(images) + 1)])
    key = f"{digest} {name} {' '.join(schema.points)}"
    return Dataset(ids, images, points, schema, hashlib.sha256(key.encode()).hexdigest())
