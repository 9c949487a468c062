"""Pictures that hold the same grey levels, pixel for pixel, under whatever names and in whatever files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from kptool.dataset import Ints, Photos
from kptool.errors import DataError
from kptool.machine import cores
from kptool.pairs import Pairs
from kptool.photos import decode


def look(pairs: Pairs) -> tuple[Pairs, list[str]]:
    """The same pairs, whose `images.groups` join equal pictures where there are any, and notes on these.

    Raises:
        DataError: equal pictures in a pair of different people, or a picture that cannot be decoded.
    """
    photos = pairs.images.images
    assert isinstance(photos, Photos)
    alike = equal_pictures(photos)
    if len(np.unique(alike)) == len(alike):
        return pairs, []
    equal = alike[pairs.first] == alike[pairs.second]
    for row in np.flatnonzero(equal & ~pairs.same):
        first, second = pairs.images.ids[[pairs.first[row], pairs.second[row]]]
        place = str(pairs.places[row]) or str(pairs.ids[row])
        raise DataError(
            f"{place}: {first} and {second} are one and the same picture, in a pair of different people",
            "take the pair out, or put the right picture back",
        )
    notes = list(_notes(pairs, np.flatnonzero(equal), two_names(pairs, alike)))
    return replace(pairs, images=replace(pairs.images, groups=alike)), notes


def equal_pictures(photos: Photos) -> Ints:
    """(N,) pictures with equal grey pixels share a number, their first row's; only those of one size are decoded.

    Raises:
        DataError: a picture that cannot be decoded. One whose header cannot be read (size 0) equals none.
    """
    _, size, counts = np.unique(photos.sizes, axis=0, return_inverse=True, return_counts=True)
    rows = np.flatnonzero((counts[size.reshape(-1)] > 1) & photos.sizes.all(1))
    out = np.arange(len(photos))
    first: dict[bytes, int] = {}
    with ThreadPoolExecutor(cores() + 4) as pool:
        for row, digest in zip(rows.tolist(), pool.map(lambda row: _digest(photos, row), rows.tolist()), strict=True):
            out[row] = first.setdefault(digest, row)
    return out


def two_names(pairs: Pairs, alike: Ints) -> list[tuple[int, int]]:
    """Rows of equal pictures (`alike`, as `equal_pictures` gives it) that stand there as two people."""
    return [(int(alike[row]), int(row)) for row in np.flatnonzero(pairs.person[alike] != pairs.person)]


def refuse_two_names(pairs: Pairs) -> None:
    """Raise DataError where equal pictures stand there as two people; for pairs that `look` has given."""
    photos, alike = pairs.images.images, pairs.images.groups
    assert isinstance(photos, Photos)
    for one, other in [] if alike is None else two_names(pairs, alike):
        raise DataError(
            f"{photos.path(other)}: the same picture as {photos.files[one]}, and so of two people",
            "take one of them out",
        )


def _digest(photos: Photos, row: int) -> bytes:
    pixels = decode(photos.path(row), 1).pixels
    return hashlib.blake2b(str(pixels.shape).encode() + pixels.tobytes(), digest_size=16).digest()


def _notes(pairs: Pairs, equal: Ints, named_twice: list[tuple[int, int]]) -> Iterable[str]:
    if len(equal):
        yield f"same-person pairs of two equal pictures: {len(equal)}, such as {pairs.ids[equal[0]]}"
    if named_twice:
        one, other = pairs.images.ids[list(named_twice[0])]
        yield f"pictures that also stand there as another person: {len(named_twice)}, such as {one} = {other}"
