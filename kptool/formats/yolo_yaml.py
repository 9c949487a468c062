"""The data.yaml beside a YOLO-pose folder: what it says of the points. https://docs.ultralytics.com/datasets/pose/"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple

import yaml

from kptool.errors import DataError
from kptool.formats.lines import show
from kptool.formats.text_file import read_text

FILES: Final = ("data.yaml", "dataset.yaml", "data.yml", "dataset.yml")
_SPLITS: Final = {"train": ("train",), "val": ("val", "valid"), "test": ("test",)}


class Told(NamedTuple):
    """What a data.yaml says.

    Attributes:
        points: K, 0 where it does not say.
        dims: numbers of a point: 2 (x, y) or 3 (x, y, v); 0 where it does not say.
        names: K names, empty where it has none.
        flip: point k of a mirrored picture is point flip[k]; empty where it does not say.
    """

    points: int = 0
    dims: int = 0
    names: tuple[str, ...] = ()
    flip: tuple[int, ...] = ()


def find(folders: list[Path]) -> Told:
    """What the first data.yaml (or dataset.yaml) of these folders says; nothing where there is none.

    Raises:
        DataError: as `parse` does.
    """
    for path in (folder / name for folder in folders for name in FILES):
        if path.is_file():
            return parse(read_text(path), path.name)
    return Told()


def parse(text: str, place: str) -> Told:
    """What a data.yaml says; only kpt_shape, kpt_names and flip_idx are looked at.

    Raises:
        DataError: beginning with `place`: not YAML, kpt_shape that is not [K, 2] or [K, 3], kpt_names that differ
            between classes or are not K different names, flip_idx that is no permutation and its own inverse.
    """
    top = _load(text, place)
    shape = top.get("kpt_shape")
    if shape is None:
        return Told()
    right = isinstance(shape, list) and len(shape) == 2 and all(type(n) is int for n in shape)
    if not right or not 1 <= shape[0] <= 100_000 or shape[1] not in (2, 3):
        raise DataError(f"{place}: kpt_shape is {show(str(shape))}", "give [points, 2] or [points, 3]")
    count = shape[0]
    flip = top.get("flip_idx") or []
    whole = isinstance(flip, list) and all(type(n) is int for n in flip)
    if flip and (not whole or sorted(flip) != list(range(count)) or [flip[n] for n in flip] != list(range(count))):
        raise DataError(f"{place}: flip_idx does not pair {count} points", "list the partner of every point, from 0")
    return Told(count, shape[1], _names(top.get("kpt_names"), count, place), tuple(flip))


def _load(text: str, place: str) -> dict[str, Any]:
    try:
        top = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise DataError(f"{place}{line}: not YAML ({error.problem})", "correct it") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise DataError(f"{place}: not YAML ({' '.join(str(error).split())[:80]})", "correct it") from None
    if not isinstance(top, dict):
        raise DataError(f"{place}: holds no keys", "give at least kpt_shape")
    return top


def _names(told: Any, count: int, place: str) -> tuple[str, ...]:
    """Names are a list, or a list for each class, by its number or in order."""
    if not told:
        return ()
    kinds = list(told.values()) if isinstance(told, dict) else told
    if isinstance(kinds, list) and not any(isinstance(kind, list) for kind in kinds):
        kinds = [kinds]
    right = isinstance(kinds, list) and all(isinstance(kind, list) for kind in kinds)
    if not right or not all(isinstance(name, str) for kind in kinds for name in kind):
        raise DataError(f"{place}: kpt_names is {show(str(told))}", "give a list of names in quotes for each class")
    if any(kind != kinds[0] for kind in kinds):
        raise DataError(f"{place}: kpt_names differ between the classes", "keep one class")
    if len(kinds[0]) != count or len(set(kinds[0])) != count:
        fault = f"{len(set(kinds[0]))} different names, kpt_shape {count} points"
        raise DataError(f"{place}: kpt_names has {fault}", "name every point once")
    return tuple(kinds[0])


def compose(names: tuple[str, ...], pictures: list[str]) -> str:
    """The data.yaml of points named so in pictures "images/...".

    `train`, `val` and `test` are the folders of that name in images/; without any, train is the whole and no val is
    named, since a score on the training pictures would be none. flip_idx is not known and left out, and Ultralytics
    then does not mirror.
    """
    there = {PurePosixPath(picture).parts[1] for picture in pictures if len(PurePosixPath(picture).parts) > 2}
    splits = {key: f"images/{name}" for key, known in _SPLITS.items() for name in known if name in there}
    top = {
        "path": ".",
        **(splits or {"train": "images"}),
        "kpt_shape": [len(names), 3],
        "names": {0: "face"},
        "kpt_names": {0: list(names)},
    }
    head = "# Written by kptool." + ("" if "val" in splits else " Name a folder of held-out pictures as val: to train.")
    return f"{head}\n{yaml.safe_dump(top, sort_keys=False, allow_unicode=True)}"
