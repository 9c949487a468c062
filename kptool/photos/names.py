"""Names of pictures, as annotation files write them: relative, and never out of their folder."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Final

from kptool.errors import DataError

SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".pgm", ".ppm"})
"""Lower-case file endings that are taken for pictures where a folder is searched."""

UNPRINTABLE: Final = ("Cc", "Cs", "Zl", "Zp")  # controls with NUL, lone surrogates, line and paragraph ends


def inside(root: Path, name: str, place: str) -> str:
    """The clean form of a picture's name: forward slashes, no "." and no doubled slash.

    Only the text is looked at: a folder under root may well be a symlink to another disk.

    Args:
        root: the folder that the name is relative to.
        name: as the file writes it, with forward slashes.
        place: where it stands, for the message, as in ``labels.xml:17``.

    Raises:
        DataError: the name would leave root, or no file can have it.
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if fault := _fault(name, parts):
        raise DataError(f"{place}: picture name {name!r} {fault}", f"write it relative to {root}, with forward slashes")
    return "/".join(parts)


def _fault(name: str, parts: list[str]) -> str:
    if any(unicodedata.category(character) in UNPRINTABLE for character in name):
        return "holds a control character"
    if "\\" in name:
        return "holds a backslash"
    if name.startswith("/"):
        return "is absolute"
    if not parts:
        return "is empty"
    if re.match("[A-Za-z]:", parts[0]):  # of the clean name: Windows would take "./C:/x" for C:\x
        return "begins with a drive letter"
    return "leaves its folder by '..'" if ".." in parts else ""
