"""Keeping a parsed table on disk, keyed by the bytes it came from.

An entry is a folder: images.npy, numbers.npy and, written last, entry.json with the digests of both. An entry without
its entry.json, or whose files do not have those digests, is not there: it is built again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kptool.errors import DataError, UsageError
from kptool.files import file_digest, write_atomic, write_text
from kptool.formats.image_csv import Table


def cached(entry: Path, make: Callable[[], Table]) -> Table:
    """The table of an entry, made and kept first where it is absent or damaged; its images are memory-mapped.

    Both arrays are hashed at each read: 0.05 s for 65 MB, the price of never training on a damaged cache.

    Raises:
        UsageError: the cache folder cannot be written.
    """
    if (table := load(entry)) is not None:
        return table
    fresh = make()
    try:
        save(entry, fresh)
    except OSError as error:
        raise UsageError(
            f"{entry}: the cache cannot be written ({error.strerror or error})",
            "set KPTOOL_CACHE to a folder with room that you may write to",
        ) from None
    if (table := load(entry)) is None:
        raise DataError(f"{entry}: what was written cannot be read back", "set KPTOOL_CACHE to a folder on a good disk")
    return table


def save(entry: Path, table: Table) -> None:
    """Write an entry; whatever half of it a kill leaves behind is not taken for one."""
    for name, array in (("images", table.images), ("numbers", table.numbers)):
        write_atomic(entry / f"{name}.npy", lambda path, array=array: _write(path, array))  # type: ignore[misc]
    record = {
        "columns": table.columns,
        "content": table.digest,
        "files": {name: file_digest(entry / f"{name}.npy") for name in ("images", "numbers")},
    }
    write_text(entry / "entry.json", json.dumps(record, indent=1))


def _write(path: Path, array: npt.NDArray[np.generic]) -> None:
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def load(entry: Path) -> Table | None:
    """The table of an entry, or None where it is absent, half-written or damaged."""
    try:
        record = json.loads((entry / "entry.json").read_text(encoding="utf-8"))
        if any(file_digest(entry / f"{name}.npy") != digest for name, digest in record["files"].items()):
            return None
        images = np.load(entry / "images.npy", mmap_mode="r", allow_pickle=False)
        numbers = np.load(entry / "numbers.npy", allow_pickle=False)
        return Table(tuple(record["columns"]), numbers, images, record["content"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
