"""YOLO-pose folders as Ultralytics lays them out. https://docs.ultralytics.com/datasets/pose/

::

    data.yaml                 kpt_shape: [K, 2 or 3], names, kpt_names, flip_idx; optional
    images/**/x.jpg
    labels/**/x.txt           a face a line: class cx cy w h  x1 y1 [v1]  x2 y2 [v2] ...

All numbers are fractions of the picture's width or height. Ultralytics' own converter (convert_coco, once JSON2YOLO)
makes them by dividing COCO's pixel numbers, so pixel = fraction * W without half a pixel, and left = (cx - w/2) * W.
v is COCO's: 0 not labelled, 1 hidden, 2 visible. Without v a point at (0, 0) is not labelled, as COCO's are once
divided, nor is one with a negative coordinate, by which Ultralytics' loader knows them.

Picture names are relative to images/, which is the root of what is read. Rows come in the order of the names. A picture
without label file, or with an empty one, is a row without points and box. Classes are not held: all faces are read,
and class 0 is written. Pictures are not copied; `picture_name` tells where they belong.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

import numpy as np

from kptool.annotations import Annotations, Holds, kept, lost, make, numbered
from kptool.dataset import Ints
from kptool.errors import DataError, MissingFileError
from kptool.files import write_text
from kptool.formats import yolo_labels, yolo_yaml
from kptool.formats.text_file import read_text
from kptool.formats.yolo_labels import Faces, infer, lines_of, parse
from kptool.photos import SUFFIXES, inside, read_header

HOLDS: Final = Holds(boxless=False, sizes=False, edges=False)


class _Folders(NamedTuple):
    images: Path
    labels: Path
    near: Path  # where a data.yaml may stand; else above it


def sniff(path: Path) -> bool:
    """True for a folder with images/ and labels/ in it, or one in images/ with its like in labels/; never raises."""
    try:
        _folders(path)
    except (DataError, OSError, ValueError):
        return False
    return True


def _folders(path: Path) -> _Folders:
    if not path.is_dir():
        raise MissingFileError(f"{path}: no such folder", "name the folder that holds images/ and labels/")
    whole = path.absolute()
    parts = (whole / "images").parts if (path / "images").is_dir() else whole.parts
    if "images" not in parts:
        raise DataError(f"{path}: no folder images/ in it", "name the folder that holds images/ and labels/")
    at = len(parts) - 1 - parts[::-1].index("images")
    root = Path(*parts[:at])
    labels = root.joinpath("labels", *parts[at + 1 :])
    if not labels.is_dir():
        raise DataError(f"{path}: no folder {labels.relative_to(root)}/ beside images/", "put the label files there")
    return _Folders(Path(*parts), labels, root)


def read(path: Path) -> Annotations:
    """The faces of a folder: the one that holds images/ and labels/, or one split such as images/train.

    Raises:
        MissingFileError: the folder is not there, or a label file's picture.
        DataError: beginning with the label file and its line: as `parse` and `infer` do; as yolo_yaml.parse does; a
            picture with labels that cannot be opened; no label at all and no data.yaml that counts the points.
    """
    images, labels, near = _folders(path)
    told = yolo_yaml.find([near, near.parent])
    place = labels.relative_to(near).as_posix()
    found = (p for p in images.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    files = sorted(p.relative_to(images).as_posix() for p in found)
    texts = _texts(labels, files, place)
    count, dims = (told.points, told.dims) if told.points else _infer(texts, place)
    names = told.names or numbered(count)
    none = Faces(np.full((1, count, 2), np.nan), np.zeros((1, count), dtype=np.bool_), np.full((1, 4), np.nan))
    faces: dict[str, Faces] = {}
    for file in files:
        text = texts.get(_label(file), "")
        size = read_header(images / file).size if text.strip() else (1, 1)
        face = parse(text, f"{place}/{_label(file)}", count, dims, size)
        faces[file] = face if len(face.boxes) else none
    owners = [file for file in files for _ in faces[file].boxes]
    points = np.array([xy for face in faces.values() for xy in face.points])
    boxes = np.array([box for face in faces.values() for box in face.boxes])
    occluded = np.array([hidden for face in faces.values() for hidden in face.occluded], dtype=np.bool_)
    return make(images, owners, names, points, boxes, occluded.reshape(len(owners), count))


def _label(file: str) -> str:
    return str(PurePosixPath(file).with_suffix(".txt"))


def _texts(labels: Path, files: list[str], place: str) -> dict[str, str]:
    """The label files by name. classes.txt, which some tools put there, is none."""
    found = sorted(p.relative_to(labels).as_posix() for p in labels.rglob("*.txt") if p.name != "classes.txt")
    known = {_label(file) for file in files}
    for name in found:
        if name not in known:
            raise MissingFileError(f"{place}/{name}: its picture is not in images/", "add it, or delete the label")
    return {name: read_text(labels / name) for name in found}


def _infer(texts: dict[str, str], place: str) -> tuple[int, int]:
    for name, text in texts.items():
        for line in lines_of(text, f"{place}/{name}"):
            return infer(len(line.words), line.where)
    raise DataError(f"{place}: no label in it tells the number of points", "give a data.yaml with kpt_shape")


def picture_name(file: str) -> str:
    """Where a picture of that name belongs in a folder that is written: in images/, unless it names that itself."""
    return file if file.startswith("images/") else f"images/{file}"


def write(annotations: Annotations, path: Path) -> list[str]:
    """Write labels/ and data.yaml of a folder.

    Points outside the picture are written as they are: kptool reads them again, Ultralytics leaves such pictures out.
    Names "images/x.jpg" are taken to begin at `path` and come back as "x.jpg", below images/.

    Returns:
        What YOLO-pose cannot hold of these annotations, a line each.

    Raises:
        DataError: no points at all, or two of one name; a picture whose size is neither told nor to be read from it;
            two pictures that would share a label file; a name with another folder images/ in it, where Ultralytics
            would look for the labels.
    """
    rows = kept(annotations, replace(HOLDS, sizes=True))  # not written, but what the fractions are of
    if not rows.names or len(set(rows.names)) < len(rows.names):
        fault = "two points have one name" if rows.names else "there are no points, and YOLO-pose cannot do without"
        raise DataError(f"{path.name}: {fault}", "rename one" if rows.names else "choose another format")
    labels = _labels(list(dict.fromkeys(map(str, rows.files))))
    texts = dict.fromkeys(labels, "")
    for file, line in zip(map(str, rows.files), yolo_labels.compose(rows, _sizes(rows)), strict=True):
        texts[file] += line
    for file, label in labels.items():
        write_text(path / label, texts[file])
    write_text(path / yolo_yaml.FILES[0], yolo_yaml.compose(rows.names, [picture_name(file) for file in labels]))
    return lost(annotations, HOLDS, "YOLO-pose")


def _labels(files: list[str]) -> dict[str, str]:
    """The label file, "labels/x.txt", of every picture."""
    owners: dict[str, str] = {}
    for file in files:
        picture = PurePosixPath(picture_name(inside(Path(), file, "YOLO-pose")))
        if "images" in picture.parts[1:-1]:
            raise DataError(f"{file}: Ultralytics takes the folder images/ in it for the first", "rename that folder")
        label = str(PurePosixPath("labels", *picture.parts[1:]).with_suffix(".txt"))
        if label in owners:
            raise DataError(f"{label}: {owners[label]} and {file} would both own this label file", "rename one of them")
        owners[label] = file
    return {file: label for label, file in owners.items()}


def _sizes(rows: Annotations) -> Ints:
    """(N, 2) sizes, read from the picture where they are not told."""
    sizes = rows.sizes.copy()
    unknown = np.flatnonzero(~(sizes > 0).all(1))
    files, owner = np.unique(rows.files[unknown], return_inverse=True)
    read = [read_header(rows.root / str(file)).size for file in files]
    sizes[unknown] = np.array(read, dtype=np.int64).reshape(len(files), 2)[owner]
    return sizes
