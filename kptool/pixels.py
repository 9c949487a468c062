"""Pixels prepared once: what training and prediction read, memory-mapped and shared by all processes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kptool.dataset import Dataset, Names
from kptool.errors import KptoolError
from kptool.files import cache_folder, write_atomic, write_text
from kptool.geometry import Affine, Bytes, Floats, identity
from kptool.schema import Schema

VERSION = 1


@dataclass(frozen=True)
class Arrays:
    """Images in one frame, ready to be warped into a model's.

    Attributes:
        ids: (N,) str.
        images: (N, C, H, W) uint8, memory-mapped.
        points_frame: (N, K, 2) float64 in the frame's pixels; NaN = not labelled.
        to_frame: N maps from the original image's pixels to the frame's.
        schema: the K points.
    """

    ids: Names
    images: Bytes
    points_frame: Floats
    to_frame: Affine
    schema: Schema

    @property
    def size(self) -> tuple[int, int]:
        """(W, H) of the frame."""
        return self.images.shape[3], self.images.shape[2]


def prepare(dataset: Dataset) -> Path:
    """Lay a dataset's frames out in the cache and return their folder, for `open_arrays`.

    Images that all have the model's size are their own frame. The folder is keyed by everything that goes into it.
    """
    to_frame = identity(len(dataset))
    points = to_frame(dataset.points)
    # The labels are in the key beside the files' digest: edits and masks change them without touching a file.
    content = hashlib.sha256(f"{VERSION} {dataset.digest}".encode() + points.tobytes())
    folder = cache_folder() / "frames" / content.hexdigest()[:24]
    done = folder / "done.json"
    if done.is_file():
        return folder
    parts = {"ids": dataset.ids, "images": dataset.images, "points": points, "to_frame": to_frame.matrix}
    try:
        for name, array in parts.items():
            write_atomic(folder / f"{name}.npy", partial(_save, array=array))
        write_text(done, json.dumps({"digest": dataset.digest, "rows": len(dataset)}))  # last: the folder is whole
    except OSError as error:
        raise KptoolError(f"{folder}: cannot be written ({error})", "set KPTOOL_CACHE to a folder with room") from None
    return folder


def open_arrays(folder: Path, schema: Schema) -> Arrays:
    """Open prepared frames; the images stay on disk until they are touched."""
    ids, points, to_frame = (np.load(folder / f"{n}.npy", allow_pickle=False) for n in ("ids", "points", "to_frame"))
    images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
    return Arrays(ids, images, points, Affine(to_frame), schema)


def _save(path: Path, array: npt.NDArray[Any]) -> None:
    with path.open("wb") as file:  # np.save given a path would add .npy to its name
        np.save(file, array, allow_pickle=False)
