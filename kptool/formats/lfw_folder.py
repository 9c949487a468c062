"""Where LFW's lists and pictures stand: in a folder of the user's, or in scikit-learn's cache."""

from __future__ import annotations

import os
from collections import Counter
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
LOOKED_AT: Final = 8  # pictures, to tell whether a folder's are grey


class Found(NamedTuple):
    """A list of pairs, the folder with a folder of pictures for each person, and such folders that are not used."""

    list: Path
    pictures: Path
    others: tuple[Path, ...] = ()


def find(data: Path | None, name: str) -> Found:
    """A list by its file's name, and the pictures beside it.

    Args:
        data: the folder that holds both, or the folder of pictures with the list inside it or beside it;
            scikit-learn's data folder, or its lfw_home, works too. None = that cache.
        name: such as pairsDevTrain.txt.

    Raises:
        UsageError: no folder is given, and scikit-learn has no LFW.
        MissingFileError: no such list there.
        DataError: no pictures there.
    """
    root = _root(data)
    for folder in (root, root / SKLEARN, *_known(root)):
        if (folder / name).is_file():
            return _with_pictures(folder / name, folder)
    if root.name.lower() in FOLDERS and (root.parent / name).is_file():
        return Found(root.parent / name, root)
    raise MissingFileError(f"{root}: no {name} in it", "name the folder that holds LFW's lists with --data")


def beside(file: Path, data: Path | None) -> Found:
    """A list that the user names, with the pictures of --data, or else those beside the list.

    Raises:
        MissingFileError: no such list.
        DataError: no pictures there.
    """
    if not file.is_file():
        raise MissingFileError(f"{file}: no such file", "name a list of pairs")
    root = file.parent if data is None else _root(data)
    return _with_pictures(file, root / SKLEARN if (root / SKLEARN).is_dir() else root)


def people_in(data: Path) -> Path:
    """The folder with a folder for each person: `data`; LFW's own in it; or the one folder in it that holds folders."""
    if known := _known(data):
        return known[0]
    folders = [data / name for name in folders_in(data)]
    alone = len(folders) == 1 and not pictures_in(folders[0]) and folders_in(folders[0])
    return folders[0] if alone else data


def folders_in(folder: Path) -> list[str]:
    """Names of the folders in a folder, sorted; hidden ones are none. Raises MissingFileError or DataError."""
    return [entry.name for entry in _entries(folder) if entry.is_dir()]


def pictures_in(folder: Path) -> list[str]:
    """Names of the pictures in a folder, sorted; hidden files are none. Raises DataError where it cannot be read."""
    return [entry.name for entry in _entries(folder) if Path(entry.name).suffix.lower() in SUFFIXES and entry.is_file()]


def files_of(pictures: Sequence[Picture], pairs: Sequence[Listed], root: Path) -> Names:
    """(N,) the file of each picture, relative to `root`.

    Raises:
        DataError: a picture that is not there, or there twice, by the line of the first pair that names it.
    """
    folders = {name: _listing(root / name) for name in dict.fromkeys(one.name for one in pictures)}
    found = {one: folders[one.name].get(one.id, []) for one in pictures}
    if unclear := {one for one in pictures if len(found[one]) != 1}:
        pair = next(pair for pair in pairs if unclear & set(pair[:2]))
        one = pair.first if pair.first in unclear else pair.second
        place = f"{root.name}/{one.name}"
        if names := found[one]:
            raise DataError(f"{pair.place}: in {place} it may be {' or '.join(names)}", "keep one of these pictures")
        endings = Counter(Path(names[0]).suffix for names in found.values() if names)
        name = one.id + (endings.most_common(1)[0][0] if endings else ".jpg")
        lost = sum(not found[other] for other in unclear) - 1
        more = f", and {lost} more {'is' if lost == 1 else 'are'} missing" if lost else ""
        raise DataError(f"{pair.place}: {name} is not in {place}{more}", f"complete the pictures in {root}")
    return np.array([f"{one.name}/{found[one][0]}" for one in pictures], dtype=np.str_)


def alignment_by_name(root: Path) -> str:
    """How pictures were aligned, as their folder's name tells; empty where it tells nothing."""
    return ALIGNMENTS.get(root.name.lower(), "")


def alignment_by_pixels(root: Path, files: Names) -> str:
    """How LFW's pictures were aligned, by whether they are grey, as only LFW-a's are; `files` (N,) under root."""
    some = files[np.linspace(0, len(files) - 1, LOOKED_AT).astype(np.int64)]
    pixels = [decode(root / str(name), 3).pixels for name in dict.fromkeys(some.tolist())]
    grey = all(bool((picture[..., :1] == picture).all()) for picture in pixels)
    return "LFW-a (aligned, grey)" if grey else "as downloaded, not aligned"


def _root(data: Path | None) -> Path:
    if data is not None:
        if not data.is_dir():
            raise MissingFileError(f"{data}: {'is a file' if data.exists() else 'no such folder'}", "name a folder")
        return data
    cache = Path(os.environ.get("SCIKIT_LEARN_DATA") or "~/scikit_learn_data").expanduser()
    if not (cache / SKLEARN).is_dir():
        raise UsageError(
            "LFW is not shipped: it needs --data DIR with the lists and a folder of pictures",
            "get them from http://vis-www.cs.umass.edu/lfw/, or let sklearn.datasets.fetch_lfw_pairs do it",
        )
    return cache / SKLEARN


def _known(folder: Path) -> list[Path]:
    """Folders of pictures in a folder, in the order of FOLDERS."""
    found = {name.lower(): folder / name for name in folders_in(folder)}
    return [found[name] for name in FOLDERS if name in found]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What stands in a folder, by name, without hidden ones. Raises MissingFileError or DataError."""
    try:
        found = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        raise MissingFileError(f"{folder}: no such folder", "check --data") from None
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror or error})", "name a folder") from None
    return [entry for entry in found if not entry.name.startswith(".")]


def _with_pictures(file: Path, folder: Path) -> Found:
    """A list and the first of the known folders in `folder`, or `folder` itself where it holds folders at all."""
    known = _known(folder)
    if known:
        return Found(file, known[0], tuple(known[1:]))
    if folders_in(folder):
        return Found(file, folder)
    raise DataError(
        f"{folder}: no folder of pictures in it", f"it should be called {', '.join(FOLDERS[:3])} or the like"
    )


def _listing(folder: Path) -> dict[str, list[str]]:
    """The pictures of a person by their name without its ending."""
    out: dict[str, list[str]] = {}
    for name in pictures_in(folder) if folder.is_dir() else []:
        out.setdefault(Path(name).stem, []).append(name)
    return out
