"""All annotation formats by name, and which of them a file is in. None is imported before it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from kptool.annotations import Annotations, Holds
from kptool.errors import DataError, MissingFileError, UsageError, did_you_mean

NAMES: Final = ("dlib", "pts", "asf", "coco", "wflw", "yolo", "deeplabcut", "csv", "csv-long", "images")
FOLDERS: Final = ("pts", "asf", "yolo", "images")
"""The formats that are a folder of files, not one file."""
ENDINGS: Final = {".xml": "dlib", ".json": "coco", ".csv": "csv"}
"""The format that a name's ending stands for when a file is to be written."""
_MODULES = {"csv": "csv_wide", "csv-long": "csv_long"}


class AnnotationFormat(NamedTuple):
    """What can be asked of a format.

    Attributes:
        name: one of NAMES.
        holds: what it can hold; read(write(a)) is kept(a, holds).
        sniff: a cheap look whether a path is in it; never raises.
        read: the annotations of a path.
        write: writes them to a path; returns a line for everything that is lost.
    """

    name: str
    holds: Holds
    sniff: Callable[[Path], bool]
    read: Callable[[Path], Annotations]
    write: Callable[[Annotations, Path], list[str]]


def get(name: str) -> AnnotationFormat:
    """The format of that name; its module is imported here, not before.

    Raises:
        UsageError: no such format, with the closest name.
    """
    if name not in NAMES:
        raise UsageError(f"no annotation format is called '{name}'", did_you_mean(name, NAMES))
    module = importlib.import_module(f"kptool.formats.{_MODULES.get(name, name)}")
    return AnnotationFormat(name, module.HOLDS, module.sniff, module.read, module.write)


def sniff(path: Path) -> str:
    """The name of the one format that a file or folder is in. A folder of pictures and nothing else is `images`.

    Raises:
        MissingFileError: nothing is there.
        UsageError: more than one format fits; names them.
        DataError: none fits; names all that there are.
    """
    if not path.exists():
        raise MissingFileError(f"{path}: no such file or folder", "check the path")
    fits = [name for name in NAMES if name != "images" and get(name).sniff(path)]
    if len(fits) > 1:
        raise UsageError(f"{path}: looks like {' and like '.join(fits)}", f"say which, as in --from {fits[0]}")
    if fits:
        return fits[0]
    if get("images").sniff(path):
        return "images"
    raise DataError(f"{path}: in no annotation format that kptool knows", f"name it with --from: {', '.join(NAMES)}")
