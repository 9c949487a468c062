"""COCO keypoints JSON: images, annotations and categories in one file. https://cocodataset.org/#format-data

`keypoints` is [x, y, v]*K: v = 0 not labelled whatever x and y say, 1 labelled but hidden, 2 visible. Coordinates and
`bbox` [x, y, width, height] are kptool's numbers as they stand: COCO counts pixels from 0 too. `skeleton` counts points
from 1. Rows come picture by picture in the order of `images`, those of a picture in the order of `annotations`; a
picture without annotation is a row without points and box.

What is not held is dropped: segmentations, captions, licences, the category's name, `num_keypoints` (the v are counted
anew). One kind of annotation is left out, the crowds: iscrowd = 1 with num_keypoints 0 and no labelled point, a mask
over many people and the points of none.

A row with points and without box gets a `bbox` around its points, because COCO's evaluation asks for one, and beside it
"bbox_from": "keypoints", by which this reader knows that nobody drew it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from kptool.annotations import Annotations, Holds, boxed, kept, lost, make
from kptool.dataset import Mask
from kptool.errors import DataError
from kptool.files import write_text
from kptool.formats import coco_checks as checks
from kptool.formats.coco_categories import called, points_of
from kptool.formats.coco_checks import Record, shown
from kptool.formats.text_file import first_bytes, read_text
from kptool.geometry import Floats
from kptool.photos import inside

HOLDS: Final = Holds()
_CATEGORY = 1


class _Face(NamedTuple):
    points: Floats
    occluded: Mask
    box: Floats


def sniff(path: Path) -> bool:
    """True for a .json file that opens an object with one of COCO's lists near its beginning; never raises."""
    if path.suffix.lower() != ".json":
        return False
    head = first_bytes(path, 65536).lstrip(b"\xef\xbb\xbf \r\n\t")
    return head[:1] == b"{" and any(key in head for key in (b'"images"', b'"annotations"', b'"categories"'))


def read(path: Path) -> Annotations:
    """The faces of a COCO file; pictures are relative to its folder.

    Raises:
        MissingFileError: the file is not there.
        DataError: as `parse` does.
    """
    return parse(read_text(path), path.parent, path.name)


def parse(text: str, root: Path, place: str) -> Annotations:
    """The faces of a COCO text.

    Raises:
        DataError: beginning with `place` and naming the picture, annotation or category: not JSON, a list missing, an
            id missing or used twice, an unknown image or category, categories whose points differ, keypoints or bbox
            that are not what they must be, a picture outside the folder.
    """
    top = checks.load(text, place)
    images = checks.by_id(checks.records(top, "images", place), "image", place)
    annotations = checks.by_id(checks.records(top, "annotations", place), "annotation", place)
    categories = checks.by_id(checks.records(top, "categories", place), "category", place)
    names, edges = points_of(categories, annotations, place)
    empty = _Face(np.full((len(names), 2), np.nan), np.zeros(len(names), dtype=np.bool_), np.full(4, np.nan))
    faces = _faces(annotations, images, categories, len(names), place)
    pictures = {image: _picture(record, root, f"{place}: image {image}") for image, record in images.items()}
    rows = [(pictures[image], face) for image in images for face in faces.get(image, [empty])]
    return make(
        root,
        [file for (file, _), _ in rows],
        names,
        np.array([face.points for _, face in rows]),
        np.array([face.box for _, face in rows]),
        np.array([face.occluded for _, face in rows], dtype=np.bool_).reshape(len(rows), len(names)),
        np.array([size for (_, size), _ in rows], dtype=np.int64),
        edges,
    )


def _faces(
    annotations: dict[int | str, Record],
    images: dict[int | str, Record],
    categories: dict[int | str, Record],
    count: int,
    place: str,
) -> dict[int | str, list[_Face]]:
    faces: dict[int | str, list[_Face]] = {}
    pointed = any(category.get("keypoints") for category in categories.values())
    for number, annotation in annotations.items():
        where = f"{place}: annotation {number}"
        image, category = annotation.get("image_id"), annotation.get("category_id")
        if type(image) not in (int, str) or image not in images:
            raise DataError(f"{where}: no image has id {shown(image)}", "add the image or drop the annotation")
        if type(category) not in (int, str) or category not in categories:
            raise DataError(f"{where}: no category has id {shown(category)}", "correct category_id")
        if pointed and not categories[category].get("keypoints"):
            raise DataError(f"{where}: category {called(categories, category)} has no points", "keep one category")
        given = annotation.get("keypoints")
        points, occluded = checks.points([0] * 3 * count if given is None else given, count, where)
        if not _is_crowd(annotation, points):
            faces.setdefault(image, []).append(_Face(points, occluded, checks.box(annotation, where)))
    return faces


def _is_crowd(annotation: Record, points: Floats) -> bool:
    crowd = annotation.get("iscrowd", 0) == 1 and annotation.get("num_keypoints", 0) == 0
    return crowd and not np.isfinite(points).any()


def _picture(record: Record, root: Path, where: str) -> tuple[str, tuple[int, int]]:
    name = record.get("file_name")
    if not isinstance(name, str):
        raise DataError(f"{where}: file_name is {shown(name)}, expected a name", "name the picture")
    return inside(root, name, where), checks.size(record, where)


def write(annotations: Annotations, path: Path) -> list[str]:
    """Write a COCO file that pycocotools loads; coordinates keep every bit, ids count from 1.

    `width` and `height` are left out where the size of a picture is not known; `area` is the box's.

    Returns:
        What COCO cannot hold of these annotations, a line each.

    Raises:
        DataError: two points have one name.
    """
    rows = kept(annotations, HOLDS)
    if len(set(rows.names)) < len(rows.names):
        raise DataError(f"{path.name}: two points have one name", "rename one")
    files = {str(file): number for number, file in enumerate(dict.fromkeys(map(str, rows.files)), 1)}
    sizes = {
        str(file): size for file, size in zip(rows.files[::-1], rows.sizes[::-1].tolist(), strict=True) if all(size)
    }
    images = [
        {"id": number, "file_name": file} | dict(zip(("width", "height"), sizes.get(file, ()), strict=False))
        for file, number in files.items()
    ]
    category = {
        "id": _CATEGORY,
        "name": "face",
        "supercategory": "face",
        "keypoints": list(rows.names),
        "skeleton": [[a + 1, b + 1] for a, b in rows.edges],
    }
    top = {
        "info": {"description": "Written by kptool", "version": "1.0"},
        "licenses": [],
        "categories": [category],
        "images": images,
        "annotations": _annotations(rows, files),
    }
    write_text(path, json.dumps(top, ensure_ascii=False, allow_nan=False))
    return lost(annotations, HOLDS, "COCO JSON")


def _annotations(rows: Annotations, files: dict[str, int]) -> list[Record]:
    labelled, drawn = rows.labelled, np.asarray(np.isfinite(rows.boxes).all(1))
    boxes = np.nan_to_num(boxed(rows))
    seen = np.where(labelled, np.where(rows.occluded, 1, 2), 0)
    points = np.where(labelled[..., None], rows.points, 0)
    names, counts = np.unique(rows.files, return_counts=True)
    alone = {str(name) for name, count in zip(names, counts, strict=True) if count == 1}
    made: list[Record] = []
    for row, file in enumerate(map(str, rows.files)):
        if file in alone and not drawn[row] and not labelled[row].any():
            continue  # a picture without annotation says the same
        triples = zip(points[row].tolist(), seen[row].tolist(), strict=True)
        annotation: Record = {
            "id": len(made) + 1,
            "image_id": files[file],
            "category_id": _CATEGORY,
            "iscrowd": 0,
            "num_keypoints": int(labelled[row].sum()),
            "keypoints": [value for (x, y), v in triples for value in (x, y, v)],
            "bbox": boxes[row].tolist(),
            "area": float(boxes[row, 2] * boxes[row, 3]),
        }
        made.append(annotation if drawn[row] else annotation | {"bbox_from": "keypoints"})
    return made
