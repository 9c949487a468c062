"""How a picture is turned to stand upright, and what its file says of that."""

from __future__ import annotations

import struct
from typing import IO, Final

from PIL import ImageFile, PngImagePlugin, TiffImagePlugin

from kptool.geometry import Affine, Bytes, linear, mirror, scale, shift

ORIENTATION: Final = 0x0112  # the tag of TIFF 6.0, which EXIF took over
# EXIF orientation: are rows and columns swapped, and then x mirrored, y mirrored, to stand upright? (EXIF 2.32, 4.6.4)
TURNS: Final[dict[int, tuple[bool, bool, bool]]] = {
    1: (False, False, False),
    2: (False, True, False),
    3: (False, True, True),
    4: (False, False, True),
    5: (True, False, False),
    6: (True, True, False),
    7: (True, True, True),
    8: (True, False, True),
}


def orientation_of(image: ImageFile.ImageFile, file: IO[bytes]) -> int:
    """The EXIF orientation of a picture whose header Pillow has read, 1 to 8; the file stays where it was read to."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        found = image.tag_v2.get(ORIENTATION, 1)
        return found if found in range(1, 9) else 1
    exif = _png_exif(file) if isinstance(image, PngImagePlugin.PngImageFile) else image.info.get("exif", b"")
    return exif_orientation(exif)


def _png_exif(file: IO[bytes]) -> bytes:
    """The eXIf chunk, which may also follow the pixels (PNG specification, third edition, 11.3.4.5)."""
    back = file.tell()
    file.seek(8)
    exif = b""
    while len(head := file.read(8)) == 8 and not exif:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"eXIf":
            exif = file.read(min(length, 1 << 16))
        else:
            file.seek(length + 4, 1)
    file.seek(back)
    return exif


def exif_orientation(exif: bytes) -> int:
    """The orientation that an EXIF block tells, 1 to 8; 1 where it is damaged or says nothing.

    Read here because Pillow's reader warns of damaged blocks. Layout: TIFF 6.0, section 2; tag 274 in the first IFD.
    """
    block = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(order + "I", block, 4)
        (count,) = struct.unpack_from(order + "H", block, start)
        for at in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(order + "HH", block, at)
            if tag == ORIENTATION:
                (found,) = struct.unpack_from(order + {1: "B", 4: "I"}.get(kind, "H"), block, at + 8)
                return int(found) if 1 <= found <= 8 else 1
    except struct.error:
        pass
    return 1


def turned_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """(W, H) of the upright picture, from (W, H) as stored."""
    return (size[1], size[0]) if TURNS[orientation][0] else size


def to_upright(size: tuple[int, int], orientation: int) -> Affine:
    """The map from the pixels of a picture stored as (W, H) to those of the upright one."""
    swap, left, up = TURNS[orientation]
    width, height = turned_size(size, orientation)
    turned = linear(0, 1, 1, 0) if swap else linear(1, 0, 0, 1)
    turned = turned.then(mirror(width)) if left else turned
    return turned.then(scale(1, -1)).then(shift(0, height - 1)) if up else turned


def as_stored(upright: Bytes, orientation: int) -> Bytes:
    """A view of an upright array (H, W, C) in which the picture stands as its file stores it."""
    swap, left, up = TURNS[orientation]
    view = upright[::-1] if up else upright
    view = view[:, ::-1] if left else view
    return view.swapaxes(0, 1) if swap else view
