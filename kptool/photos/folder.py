"""All pictures that an annotation file names, looked at in parallel."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np

from kptool.dataset import Names, Photos
from kptool.errors import DataError
from kptool.files import file_digest
from kptool.machine import cores
from kptool.photos.header import read_header
from kptool.photos.names import inside

T = TypeVar("T")


def open_photos(root: Path, files: Names, place: str) -> tuple[Photos, list[tuple[int, str]]]:
    """Read the header of every distinct picture, once.

    Args:
        root: the folder that the names are relative to.
        files: (N,) names; several rows may name one picture.
        place: what names them, for the messages about names that leave root.

    Returns:
        The photos of all N rows, size 0, 0 where a picture cannot be opened, and (row, message in one line) of those.
    """
    names: list[str] = files.tolist()
    found = _each(names, lambda name: _look(root, name, place))
    photos = Photos(
        root,
        np.array([found[name][0] for name in names], dtype=np.str_),
        np.array([found[name][1] for name in names], dtype=np.int64).reshape(-1, 2),
    )
    return photos, [(row, found[name][2]) for row, name in enumerate(names) if found[name][2]]


def digest_files(root: Path, files: Names) -> str:
    """sha256, hex, over the names and contents of the distinct files in their order; a missing file counts as that."""
    digests = _each(files.tolist(), lambda name: _digest(root, name))
    total = hashlib.sha256()
    for name, digest in digests.items():
        total.update(f"{len(name)} {name} {digest}\n".encode("utf-8", "surrogatepass"))
    return total.hexdigest()


def _each(names: list[str], look: Callable[[str], T]) -> dict[str, T]:
    """What `look` finds for every distinct name, in order of first appearance; waits for the disk in many threads."""
    distinct = list(dict.fromkeys(names))
    with ThreadPoolExecutor(cores() + 4) as pool:
        return dict(zip(distinct, pool.map(look, distinct), strict=True))


def _look(root: Path, name: str, place: str) -> tuple[str, tuple[int, int], str]:
    """A picture's clean name and size, or why there is none."""
    try:
        name = inside(root, name, place)
        return name, read_header(root / name).size, ""
    except DataError as error:
        return name, (0, 0), str(error)


def _digest(root: Path, name: str) -> str:
    try:
        return file_digest(root / inside(root, name, ""))
    except (DataError, OSError, ValueError):  # ValueError: the name cannot be written in the file system's encoding
        return "missing"
