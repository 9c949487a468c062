"""Opening the pictures of a dataset for a check: every one is decoded once."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from kptool.check.values import Part
from kptool.crop import boxed_or_whole
from kptool.dataset import Dataset, Photos
from kptool.errors import DataError, MissingFileError
from kptool.files import file_digest
from kptool.geometry import Bytes
from kptool.intake import THUMBNAIL
from kptool.machine import cores
from kptool.photos import read_header
from kptool.pixels import Fault, Tick, open_arrays, prepare


class _Seen(NamedTuple):
    content: str
    orientation: int
    mode: str
    missing: str
    unreadable: str


def look(name: str, dataset: Dataset, tick: Tick | None = None) -> Part:
    """Open every picture of a dataset.

    Args:
        name: "train" or "test".
        tick: called as photos are decoded.

    Raises:
        KptoolError: the cache cannot be written.
    """
    if not isinstance(dataset.images, Photos):
        return _arrays(name, dataset, dataset.images)
    photos = dataset.images
    seen = _headers(photos)
    missing = [(row, one.missing) for row, one in enumerate(seen) if one.missing]
    damaged = {row: one.unreadable for row, one in enumerate(seen) if one.unreadable}
    prepared = prepare(boxed_or_whole(dataset), THUMBNAIL, 1, tick)
    gone = {row for row, _ in missing}
    damaged |= {row: why for row, why in prepared.faults if row not in gone | damaged.keys()}
    usable = np.ones(len(dataset), dtype=np.bool_)
    usable[[row for row, _ in prepared.faults]] = False
    thumbnails = open_arrays(prepared.folder, dataset.schema).images
    return Part(
        name=name,
        dataset=dataset,
        thumbnails=thumbnails,
        usable=usable,
        contents=np.array([one.content for one in seen], dtype=np.str_),
        orientations=np.array([one.orientation for one in seen], dtype=np.int64),
        modes=np.array([one.mode for one in seen], dtype=np.str_),
        missing=missing,
        unreadable=sorted(damaged.items()),
    )


def _arrays(name: str, dataset: Dataset, images: Bytes) -> Part:
    n, mode = len(dataset), "L" if images.shape[1] == 1 else "RGB"
    digests = [hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).hexdigest() for image in images]
    faults: list[Fault] = []
    return Part(
        name=name,
        dataset=dataset,
        thumbnails=images,
        usable=np.ones(n, dtype=np.bool_),
        contents=np.array(digests, dtype=np.str_),
        orientations=np.ones(n, dtype=np.int64),
        modes=np.full(n, mode),
        missing=faults,
        unreadable=faults,
    )


def _headers(photos: Photos) -> list[_Seen]:
    names: list[str] = photos.files.tolist()
    rows = {name: row for row, name in enumerate(names)}
    with ThreadPoolExecutor(cores() + 4) as threads:  # waits for the disk
        found = dict(zip(rows, threads.map(lambda row: _header(photos, row), rows.values()), strict=True))
    return [found[name] for name in names]


def _header(photos: Photos, row: int) -> _Seen:
    path = photos.path(row)
    try:
        header = read_header(path)
        return _Seen(file_digest(path), header.orientation, header.mode, "", "")
    except MissingFileError as error:
        return _Seen("", 1, "", str(error), "")
    except (DataError, OSError) as error:
        return _Seen("", 1, "", "", str(error))
