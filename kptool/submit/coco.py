"""The form `coco`: COCO's results JSON, one object a face. https://cocodataset.org/#format-results"""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from kptool.config import Competition
from kptool.dataset import Dataset, Names, Photos
from kptool.errors import DataError
from kptool.formats.coco_checks import load, points
from kptool.formats.coco_results import image_ids, write_results
from kptool.formats.text_file import read_text
from kptool.geometry import Floats
from kptool.photos import inside
from kptool.submit.answers import Answers, every_point

KEYS = {"image_id", "category_id", "keypoints", "score"}


def ids_of(competition: Competition, test: Dataset, data: Path | None) -> list[int | str] | None:
    """The N ids that a competition's own COCO file gives the faces' pictures; None where it has no such file.

    Raises:
        DataError: a fault in that file, or a picture of `test` that it does not name.
    """
    file = None if data is None else data / competition.test
    if competition.format != "coco" or file is None or not file.is_file() or not isinstance(test.images, Photos):
        return None
    named = {inside(file.parent, name, str(file)): number for name, number in image_ids(file).items()}
    for name in test.images.files.tolist():
        if name not in named:
            raise DataError(f"{file}: no image is called {name}", "name every picture of the test set")
    return [named[name] for name in test.images.files.tolist()]


def picture_ids(answers: Answers) -> list[int | str]:
    """N ids of the faces' pictures: those of the test file, else counted from 1 in file order."""
    return answers.image_ids or _counted(answers.files)


def scores(answers: Answers) -> Floats:
    """(N,) 1, and 0 where the mean shape answers: a model finds one face in each box and ranks none."""
    guessed = {guess.image for guess in answers.guessed}
    return np.array([0.0 if name in guessed else 1.0 for name in answers.dataset.ids.tolist()])


def write_form(path: Path, answers: Answers) -> None:
    """Write the results, every bit of each coordinate."""
    write_results(path, picture_ids(answers), every_point(answers), scores(answers))


def check_form(path: Path, answers: Answers) -> None:
    """Hold ids, count, order and values of a file against the predictions.

    Raises:
        DataError: naming file and result.
    """
    results = load(read_text(path), str(path))
    if not isinstance(results, list):
        raise DataError(f"{path}: the file is no list", "COCO results are a list of objects")
    wanted = zip(picture_ids(answers), every_point(answers), scores(answers).tolist(), strict=True)
    for index, (found, want) in enumerate(zip_longest(results, wanted)):
        place = f"{path}: result {index}"
        if want is None or index >= len(results):
            raise DataError(f"{path}: {len(results)} results, expected {len(answers.dataset)}", "one for every face")
        _same(place, found, *want)


def _same(place: str, found: Any, image: int | str, face: Floats, score: float) -> None:
    if not isinstance(found, dict) or set(found) != KEYS:
        raise DataError(f"{place} does not have the keys {', '.join(sorted(KEYS))}", "write the file again")
    if found["image_id"] != image or type(found["image_id"]) is not type(image):
        raise DataError(f"{place}: image_id is {found['image_id']!r}, expected {image!r}", "keep the faces' order")
    back, hidden = points(found["keypoints"], len(face), place)
    off = ~(np.abs(back - face) <= 1e-9 * np.maximum(1, np.abs(face)))
    if off.any():
        point, axis = (int(v) for v in np.argwhere(off)[0])
        raise DataError(
            f"{place}: {'xy'[axis]} of point {point + 1} is {back[point, axis]:g}, predicted was {face[point, axis]:g}",
            "write the file again",
        )
    if not hidden.all() or found["score"] != score or found["category_id"] != 1:
        raise DataError(f"{place}: v, score or category_id was changed", f"expected v = 1, score {score:g}, category 1")


def _counted(files: Names) -> list[int | str]:
    number: dict[str, int] = {}
    return [number.setdefault(name, len(number) + 1) for name in files.tolist()]
