"""Pixels prepared once: what training and prediction read, memory-mapped and shared by all processes.

A frame is the model's view of an image with slack around it, so that augmentation finds pixels there. Photos are
decoded and cropped here and nowhere else; training and prediction warp from the frames.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kptool.config import CropOptions, ImageOptions
from kptool.contrast import AS_IT_IS, contrasted, settings
from kptool.crop import box_faults, crop_maps, model_size, slack
from kptool.dataset import Dataset, Names, Photos
from kptool.errors import DataError, KptoolError, UsageError
from kptool.files import cache_folder, write_atomic, write_text
from kptool.geometry import Affine, Bytes, Floats, identity, shift
from kptool.machine import cores
from kptool.photos import decoded
from kptool.resample import cut
from kptool.schema import Schema

VERSION = 3
Tick = Callable[[int, int], object]
"""Told how many images of how many are done."""
Fault = tuple[int, str]
"""A row, and in one line why it cannot be used."""


@dataclass(frozen=True)
class Arrays:
    """Images in frames of one size, ready to be warped into a model's.

    Attributes:
        ids: (N,) str.
        images: (N, C, H, W) uint8, memory-mapped.
        points_frame: (N, K, 2) float64 in the frame's pixels; NaN = not labelled.
        to_frame: N maps from the original image's pixels to the frame's.
        schema: the K points.
        to_model: the map from a frame to the model's: it leaves the slack behind.
        size: (W, H) of the model's frame.
    """

    ids: Names
    images: Bytes
    points_frame: Floats
    to_frame: Affine
    schema: Schema
    to_model: Affine
    size: tuple[int, int]


class Prepared(NamedTuple):
    """Where frames lie, and the rows that have none; with such rows the folder is not finished and not used again."""

    folder: Path
    faults: list[Fault]


class _Way(NamedTuple):
    """How an image becomes a frame of (W, H) px."""

    crop: CropOptions
    image: ImageOptions
    frame: tuple[int, int]
    channels: int


def prepare(
    dataset: Dataset, crop: CropOptions, channels: int, tick: Tick | None = None, image: ImageOptions = AS_IT_IS
) -> Prepared:
    """Lay a dataset's frames out in the cache, for `open_arrays`.

    The folder is keyed by everything that goes into it. The contrast is of a whole frame with its slack: what a photo
    does not show is its edge's pixels repeated, not black, and a face's grey levels then do not depend on the photo
    around it.

    Args:
        crop: the recipe's [crop].
        channels: 1 or 3, of photos; arrays keep their own.
        tick: called as images are done.
        image: the recipe's [image].

    Raises:
        UsageError: photos, and a crop without a size; or a contrast that such frames cannot have.
        KptoolError: the cache cannot be written.
    """
    size = model_size(dataset, crop)
    edge = slack(size, crop)
    to_frame = crop_maps(dataset, crop).then(shift(*edge))
    folder = cache_folder() / "frames" / _key(dataset, to_frame, [size, edge, channels, *settings(image)])
    done = folder / "done.json"
    if done.is_file():
        return Prepared(folder, [])
    parts = {"ids": dataset.ids, "points": to_frame(dataset.points), "to_frame": to_frame.matrix}
    faults: list[Fault] = []
    try:
        for name, array in parts.items():
            write_atomic(folder / f"{name}.npy", partial(_save, array=array))
        frame = (size[0] + 2 * edge[0], size[1] + 2 * edge[1])
        fill = partial(_frames, dataset, _Way(crop, image, frame, channels), to_frame, faults, tick)
        write_atomic(folder / "images.npy", fill)
        write_text(folder / "frame.json", json.dumps({"size": size, "slack": edge}))
        if not faults:  # last: the folder is whole
            write_text(done, json.dumps({"digest": dataset.digest}))
    except OSError as error:
        raise KptoolError(f"{folder}: cannot be written ({error})", "set KPTOOL_CACHE to a folder with room") from None
    return Prepared(folder, sorted(faults))


def _key(dataset: Dataset, to_frame: Affine, numbers: list[object]) -> str:
    """24 hex digits over everything that decides the frames, row by row.

    A dataset's digest tells which files there are, not which row is which; and edits and masks change labels without
    touching a file.
    """
    files = dataset.images.files.tolist() if isinstance(dataset.images, Photos) else []
    text = json.dumps([VERSION, dataset.digest, numbers, dataset.ids.tolist(), files])
    content = hashlib.sha256(text.encode() + dataset.points.tobytes() + to_frame.matrix.tobytes())
    return content.hexdigest()[:24]


def open_arrays(folder: Path, schema: Schema) -> Arrays:
    """Open prepared frames; the images stay on disk until they are touched. Rows with faults are black."""
    ids, points, to_frame = (np.load(folder / f"{n}.npy", allow_pickle=False) for n in ("ids", "points", "to_frame"))
    images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
    frame = json.loads((folder / "frame.json").read_text(encoding="utf-8"))
    to_model = shift(-frame["slack"][0], -frame["slack"][1])
    return Arrays(ids, images, points, Affine(to_frame), schema, to_model, (frame["size"][0], frame["size"][1]))


def arrays_of(
    dataset: Dataset, crop: CropOptions, channels: int, tick: Tick | None = None, image: ImageOptions = AS_IT_IS
) -> Arrays:
    """A dataset's frames, to the byte those of `prepare`; images that are their own are not copied to the cache.

    Raises:
        DataError: an image that cannot be used.
        UsageError: see `prepare`.
    """
    if not isinstance(dataset.images, Photos) and not crop.width:
        images, plain, size = contrasted(dataset.images, image), identity(), model_size(dataset, crop)
        return Arrays(dataset.ids, images, dataset.points, identity(len(dataset)), dataset.schema, plain, size)
    prepared = prepare(dataset, crop, channels, tick, image)
    refuse_faults(prepared.faults)
    return open_arrays(prepared.folder, dataset.schema)


def check_on_bad(word: str) -> None:
    """Raise UsageError for another --on-bad than fail and skip."""
    if word not in ("fail", "skip"):
        raise UsageError(f"--on-bad {word}", "it is fail or skip")


def refuse_faults(faults: list[Fault], remedy: str = "mend it, or leave such pictures out with --on-bad skip") -> None:
    """Raise DataError for the first row that cannot be used, with the number of the others."""
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise DataError(f"{faults[0][1]}{more}", remedy)


def _frames(dataset: Dataset, way: _Way, to_frame: Affine, faults: list[Fault], tick: Tick | None, path: Path) -> None:
    """Fill a .npy file with every row's frame; rows that cannot be used are added to `faults`."""
    images = dataset.images
    if not isinstance(images, Photos):
        if not way.crop.width:
            _save(path, contrasted(images, way.image))
            return
        way = way._replace(channels=images.shape[1])
    shape = (len(dataset), way.channels, *way.frame[::-1])
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    faults += box_faults(dataset, way.crop)
    unusable = {row for row, _ in faults}

    def fill(row: int) -> Fault | None:
        if row in unusable:
            return None
        try:
            out[row] = contrasted(_frame(images, row, to_frame[row], way), way.image)
        except DataError as error:
            return row, error.message
        return None

    with ThreadPoolExecutor(cores()) as threads:  # decoding and resampling leave Python's lock alone
        for count, fault in enumerate(threads.map(fill, range(len(dataset))), 1):
            faults += [fault] if fault else []
            if tick:
                tick(count, len(dataset))
    out.flush()


def _frame(images: Bytes | Photos, row: int, to_frame: Affine, way: _Way) -> Bytes:
    """(C, H, W) one image's frame, its grey levels as they are."""
    if not isinstance(images, Photos):
        return cut(np.moveaxis(np.asarray(images[row]), 0, -1), to_frame, way.frame)
    scale = float(np.linalg.norm(to_frame.matrix[:2, :2], axis=0).max())  # of the axis that keeps most detail
    with decoded(images.path(row), 3 if way.channels == 3 else 1, min(1.0, scale)) as photo:
        return cut(photo.pixels, photo.from_original.inverse().then(to_frame), way.frame)


def _save(path: Path, array: npt.NDArray[Any]) -> None:
    with path.open("wb") as file:  # np.save given a path would add .npy to its name
        np.save(file, array, allow_pickle=False)
