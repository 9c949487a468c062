"""Where LFW's lists and pictures stand: in a folder of the user's, or in scikit-learn's cache."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from kptool.dataset import Names
from kptool.errors import DataError, MissingFileError, UsageError
from kptool.formats.lfw_pairs import Listed, Picture
from kptool.photos import SUFFIXES, decode

ALIGNMENTS: Final = {
    "lfw-a": "LFW-a",
    "lfwa": "LFW-a",
    "lfw2": "LFW-a",
    "lfw_funneled": "funneled",
    "lfw-funneled": "funneled",
    "lfw-deepfunneled": "deep funneled",
    "lfw_deepfunneled": "deep funneled",
}
"""What the names of folders say of how the pictures were aligned; those of "lfw" itself may be any."""
FOLDERS: Final = ("lfw", *ALIGNMENTS)
SKLEARN: Final = "lfw_home"


class Found(NamedTuple):
    """A list of pairs, and the folder with a folder of pictures for each person."""

    list: Path
    pictures: Path


def find(data: Path | None, name: str) -> Found:
    """A list by its file's name, and the pictures beside it.

    Args:
        data: the folder that holds both; scikit-learn's data folder, or its lfw_home, works too. None = that cache.
        name: such as pairsDevTrain.txt.

    Raises:
        UsageError: no folder is given, and scikit-learn has no LFW.
        MissingFileError: no such list there.
        DataError: no pictures there.
    """
    root = _root(data)
    for folder in (root, root / SKLEARN, *(root / known for known in FOLDERS)):
        if (folder / name).is_file():
            return Found(folder / name, _pictures(folder))
    raise MissingFileError(f"{root}: no {name} in it", "name the folder that holds LFW's lists with --data")


def beside(file: Path, data: Path | None) -> Found:
    """A list that the user names, with the pictures of --data, or else those beside the list.

    Raises:
        MissingFileError: no such list.
        DataError: no pictures there.
    """
    if not file.is_file():
        raise MissingFileError(f"{file}: no such file", "name a list of pairs")
    return Found(file, _pictures(file.parent if data is None else data))


def files_of(pictures: Sequence[Picture], pairs: Sequence[Listed], root: Path) -> Names:
    """(N,) the file of each picture, relative to `root`.

    Raises:
        DataError: a picture that is not there, by the line of the first pair that names it.
    """
    folders = {name: _listing(root / name) for name in dict.fromkeys(one.name for one in pictures)}
    missing = [one for one in pictures if one.id not in folders[one.name]]
    if missing:
        pair = next(pair for pair in pairs if set(pair[:2]) & set(missing))
        lost = pair.first if pair.first in missing else pair.second
        more = f", and {len(missing) - 1} more are missing" if len(missing) > 1 else ""
        raise DataError(
            f"{pair.place}: {lost.id} is not in {root.name}/{lost.name}{more}", f"complete the pictures in {root}"
        )
    return np.array([f"{one.name}/{folders[one.name][one.id]}" for one in pictures], dtype=np.str_)


def alignment_of(root: Path, sample: Path) -> str:
    """How pictures were aligned: by their folder's name, or else by whether they are grey, as only LFW-a's are."""
    if known := ALIGNMENTS.get(root.name.lower()):
        return known
    pixels = decode(sample, 3).pixels
    grey = bool((pixels[..., :1] == pixels).all())
    return "LFW-a (grey pictures)" if grey else "not known"


def _root(data: Path | None) -> Path:
    if data is not None:
        if not data.is_dir():
            raise MissingFileError(f"{data}: no such folder", "check --data")
        return data
    cache = Path(os.environ.get("SCIKIT_LEARN_DATA") or Path.home() / "scikit_learn_data")
    if not (cache / SKLEARN).is_dir():
        raise UsageError(
            "LFW is not shipped: it needs --data DIR with the lists and a folder of pictures",
            "get them from http://vis-www.cs.umass.edu/lfw/, or let sklearn.datasets.fetch_lfw_pairs do it",
        )
    return cache / SKLEARN


def _pictures(folder: Path) -> Path:
    """The first of the known folders in `folder` that holds people, or `folder` itself."""
    for known in FOLDERS:
        if (folder / known).is_dir():
            return folder / known
    if any(entry.is_dir() for entry in folder.iterdir()):
        return folder
    raise DataError(
        f"{folder}: no folder of pictures in it", f"it should be called {', '.join(FOLDERS[:3])} or the like"
    )


def _listing(folder: Path) -> dict[str, str]:
    """The pictures of a person by their name without its ending."""
    if not folder.is_dir():
        return {}
    names = sorted(entry.name for entry in folder.iterdir() if entry.suffix.lower() in SUFFIXES)
    return {Path(name).stem: name for name in reversed(names)}
