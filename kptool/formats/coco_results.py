"""Predictions in COCO's results format, for submissions and COCOeval. https://cocodataset.org/#format-results"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from kptool.errors import DataError
from kptool.files import write_text
from kptool.formats import coco_checks as checks
from kptool.formats.text_file import read_text
from kptool.geometry import Floats


def image_ids(path: Path) -> dict[str, int | str]:
    """The id of every picture of a COCO file, by its file_name as written there.

    Raises:
        MissingFileError: the file is not there.
        DataError: it is no COCO file, an id is missing or used twice, or two ids have one file_name.
    """
    place = path.name
    images = checks.by_id(checks.records(checks.load(read_text(path), place), "images", place), "image", place)
    named: dict[str, int | str] = {}
    for number, image in images.items():
        name = str(image.get("file_name"))
        if name in named:
            raise DataError(f"{place}: images {named[name]} and {number} are both '{name}'", "keep one of them")
        named[name] = number
    return named


def write_results(path: Path, image_ids: list[int | str], points: Floats, score: Floats, category: int = 1) -> None:
    """Write predicted points as COCO results: a list of image_id, category_id, keypoints and score.

    Args:
        path: where the file shall stand.
        image_ids: N ids of the pictures, as the file with the truth numbers them; one may come several times.
        points: (N, K, 2) px in the original pictures. Each is written as x, y, 1.
        score: (N,) how sure the model is of a face; COCOeval ranks the faces by it.
        category: category_id of all.

    Raises:
        DataError: a coordinate or a score is not finite: results have no mark for a point that is not there.
    """
    assert len(image_ids) == len(points) == len(score), (len(image_ids), points.shape, score.shape)
    results = []
    for image, face, sure in zip(image_ids, points, score, strict=True):
        if not (np.isfinite(face).all() and np.isfinite(sure)):
            raise DataError(f"{path.name}: image {image}: a predicted value is not finite", "predict every point")
        flat = [value for x, y in face.tolist() for value in (x, y, 1)]
        results.append({"image_id": image, "category_id": category, "keypoints": flat, "score": float(sure)})
    write_text(path, json.dumps(results, allow_nan=False))
