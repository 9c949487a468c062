"""Findings about pictures: those that cannot be used, and those that are easily misread."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from kptool.check.values import Finding, Item, Part, numbers, worst_first
from kptool.pixels import Fault

TURNED: Final = {
    2: "mirrored left to right",
    3: "turned by 180 degrees",
    4: "mirrored top to bottom",
    5: "mirrored, then turned by 90 degrees",
    6: "turned by 90 degrees",
    7: "mirrored, then turned by 270 degrees",
    8: "turned by 270 degrees",
}
"""What EXIF's orientation says a viewer does."""

FLAT: Final = 1.0  # grey levels, standard deviation of a face's pixels


def findings(part: Part) -> Iterator[Finding]:
    """What is wrong with a part's pictures."""
    place = "replace the file, or leave such pictures out with --on-bad skip"
    if part.missing:
        yield Finding("missing-picture", "error", "pictures that are not there", place, _faults(part, part.missing))
    if part.unreadable:
        yield Finding(
            "unreadable-picture", "error", "pictures that cannot be decoded", place, _faults(part, part.unreadable)
        )
    if turned := numbers(part.orientations != 1):
        items = [Item((part.row(n),), f"{part.orientations[n]}: {TURNED[int(part.orientations[n])]}") for n in turned]
        yield Finding(
            "exif-orientation",
            "warning",
            "pictures that EXIF turns: kptool turns them upright",
            "see that the labels were made on the upright picture; a tool that ignores EXIF would place them wrongly",
            worst_first(items),
        )
    flat = np.array([ok and face.std() < FLAT for ok, face in zip(part.usable, part.thumbnails, strict=True)])
    if flat.any():
        yield Finding(
            "flat-picture",
            "warning",
            "pictures without contrast",
            "look at them: nothing can be learned from one grey",
            part.items(flat),
        )


def _faults(part: Part, faults: list[Fault]) -> tuple[Item, ...]:
    return worst_first([Item((part.row(row),), why) for row, why in faults])
