"""Keeping a parsed table on disk, keyed by the bytes it came from.

An entry is a folder: images.npy, numbers.npy and, written last, entry.json with the digests of both. An entry without
its entry.json, or whose files do not have those digests, is not there: it is built again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kptool.errors import DataError, UsageError
from kptool.files import file_digest, write_atomic, write_text
from kptool.formats.image_csv import Table
from kptool.geometry import Bytes, Floats


@dataclass(frozen=True)
class Kept:
    """A table read back from its entry.

    Attributes:
        columns: names of the C number columns.
        numbers: (N, C) float64; NaN where the cell was blank.
        images: (N, H, W) uint8, memory-mapped and read-only.
        digest: sha256 of the table's own bytes, hex, however they were packed.
    """

    columns: tuple[str, ...]
    numbers: Floats
    images: Bytes
    digest: str


def cached(entry: Path, make: Callable[[], tuple[Table, str]]) -> Kept:
    """What an entry holds; where it is absent or damaged, `make` gives the table and its digest first.

    Both arrays are hashed at each read: 0.05 s for 65 MB, the price of never training on a damaged cache.

    Raises:
        UsageError: the cache folder cannot be written.
        DataError: what was written cannot be read back.
    """
    if (kept := load(entry)) is not None:
        return kept
    table, digest = make()
    try:
        save(entry, table, digest)
    except OSError as error:
        raise UsageError(
            f"{entry}: the cache cannot be written ({error.strerror or error})",
            "set KPTOOL_CACHE to a folder with room that you may write to",
        ) from None
    if (kept := load(entry)) is None:
        raise DataError(f"{entry}: what was written cannot be read back", "set KPTOOL_CACHE to a folder on a good disk")
    return kept


def save(entry: Path, table: Table, digest: str) -> None:
    """Write an entry; whatever half of it a kill leaves behind is not taken for one."""
    write_atomic(entry / "images.npy", lambda path: _write(path, table.images))
    write_atomic(entry / "numbers.npy", lambda path: _write(path, [table.numbers]))
    files = {name: file_digest(entry / name) for name in ("images.npy", "numbers.npy")}
    record = {"columns": table.columns, "content": digest, "files": files}
    write_text(entry / "entry.json", json.dumps(record, indent=1))


def _write(path: Path, blocks: Sequence[npt.NDArray[np.generic]]) -> None:
    """One .npy file from the rows of all blocks."""
    header = {
        "descr": np.lib.format.dtype_to_descr(blocks[0].dtype),
        "fortran_order": False,
        "shape": (sum(map(len, blocks)), *blocks[0].shape[1:]),
    }
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for block in blocks:
            file.write(np.ascontiguousarray(block).data)


def load(entry: Path) -> Kept | None:
    """What an entry holds, or None where it is absent, half-written or damaged."""
    try:
        record = json.loads((entry / "entry.json").read_text(encoding="utf-8"))
        if any(file_digest(entry / name) != digest for name, digest in record["files"].items()):
            return None
        images = np.load(entry / "images.npy", mmap_mode="r", allow_pickle=False)
        numbers = np.load(entry / "numbers.npy", allow_pickle=False)
        return Kept(tuple(record["columns"]), numbers, images, record["content"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
