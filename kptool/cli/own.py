"""The steps of a prediction on one's own photos, up to the points."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from rich.console import Console
from rich.markup import escape

from kptool.cli.terminal import counting
from kptool.config import CropOptions
from kptool.dataset import Dataset, Photos, Predictions
from kptool.detector import fetch, load
from kptool.drawing import drawn_path
from kptool.errors import DataError, QualityError, UsageError
from kptool.formats import table
from kptool.formats.boxes import read_boxes
from kptool.formats.table import AnnotationFormat
from kptool.geometry import Floats
from kptool.own_photos import by_detector, by_file, collect, to_dataset, whole
from kptool.pixels import Fault, check_on_bad, prepare, refuse_faults
from kptool.predict import crop_of, predict_folds
from kptool.runs import Run, open_members

ENDINGS: Final = {"dlib": ".xml", "coco": ".json", "wflw": ".txt"} | dict.fromkeys(table.FOLDERS, "")
"""Of the default --out; .csv for every other format."""


class Ways(NamedTuple):
    """How the user said where the faces are; at most one is given."""

    box: str | None
    boxes: Path | None
    detector: Path | None
    fetch_detector: bool

    @property
    def given(self) -> list[str]:
        """The options that were used."""
        flags = [f"--{name.replace('_', '-')}" for name in self._fields]
        return [flag for flag, value in zip(flags, self, strict=True) if value not in (None, False)]


@dataclass(frozen=True)
class Wish:
    """What the user typed, checked."""

    run: Run
    images: tuple[Path, ...]
    ways: Ways
    out: Path
    format: AnnotationFormat
    draw: Path | None
    on_bad: str
    force: bool


class Faces(NamedTuple):
    """The faces to answer, and how they are cut out of their pictures."""

    dataset: Dataset
    crop: CropOptions


def plan(
    run: Run,
    images: Sequence[Path],
    ways: Ways,
    target: tuple[Path | None, str | None],
    draw: Path | None,
    on_bad: str,
    force: bool,
) -> Wish:
    """Refuse what makes no sense, before anything is opened; `target` is --out and --to.

    Raises:
        UsageError: options that contradict each other, --out that exists, no finished fold.
    """
    if len(ways.given) > 1:
        raise UsageError(f"{' and '.join(ways.given)} do not go together", "say in one way where the faces are")
    if ways.box is not None:
        _parse_box(ways.box)
    check_on_bad(on_bad)
    if not run.finished:
        raise UsageError(f"{run.path}: no fold is finished", f"kptool cv --resume {run.path}")
    open_members(run)  # an ensemble whose runs have changed is refused now
    out, form = _target(*target)
    folder = form.name in table.FOLDERS
    if out.exists() and out.is_dir() != folder:
        kinds = ("a folder", "a file") if folder else ("a file", "a folder")
        raise UsageError(f"--out {out}: {form.name} is written as {kinds[0]}, and this is {kinds[1]}", "name another")
    if out.exists() and not force and not (folder and not any(out.iterdir())):
        raise UsageError(f"--out {out}: exists already", "name another, or write over it with --force")
    if draw is not None and draw.exists() and not draw.is_dir():
        raise UsageError(f"--draw {draw}: is a file", "name a folder")
    return Wish(run, tuple(images), ways, out, form, draw, on_bad, force)


def _target(out: Path | None, to: str | None) -> tuple[Path, AnnotationFormat]:
    known = ", ".join(name for name in table.NAMES if name != "images")
    if to == "images":
        raise UsageError("--to images: bare pictures hold no points", f"choose from {known}")
    if out is None:
        form = table.get(to or "csv")
        return Path(f"predictions{ENDINGS.get(form.name, '.csv')}"), form
    name = to or table.ENDINGS.get(out.suffix.lower())
    if name is None:
        raise UsageError(f"--out {out}: its ending names no format", f"name one with --to: {known}")
    return out, table.get(name)


def find_faces(console: Console, wish: Wish) -> Faces:
    """The faces of the pictures: from boxes, a detector, or else each whole picture; the user is told which.

    Raises:
        DataError: a picture that cannot be used under --on-bad fail, or no face at all.
        UsageError: a picture would be written over.
    """
    photos, faults = collect(wish.images)
    _settle(console, wish, faults)
    if not len(photos):
        raise DataError("no picture is left", "name one that can be opened")
    _refuse_overwriting(wish, photos)
    dataset = to_dataset(photos, _boxes(console, wish, photos), wish.run.found.competition.schema_of_points)
    if not len(dataset):
        raise DataError(f"no face in {_many(len(photos), 'picture')}", "say where they are with --box or --boxes")
    crop, recipe = _crop(console, wish, dataset), wish.run.recipe
    with counting(console, "decoding photos") as tick:
        faults = prepare(dataset, crop, recipe.model.channels, tick, recipe.image).faults
    _settle(console, wish, faults)
    rows = np.setdiff1d(np.arange(len(dataset)), [row for row, _ in faults])
    if not len(rows):
        raise DataError("no picture is left", "mend one of them")
    return Faces(dataset.take(rows) if faults else dataset, crop)


def _settle(console: Console, wish: Wish, faults: list[Fault]) -> None:
    """What cannot be used stops the command, or is listed and left out."""
    if wish.on_bad == "fail":
        refuse_faults(faults)
    for _, why in faults:
        console.print(f"skipped: {escape(why)}", soft_wrap=True)


def _refuse_overwriting(wish: Wish, photos: Photos) -> None:
    """Never write over a picture that is read; over other files only with --force."""
    read = {os.path.realpath(photos.path(row)) for row in range(len(photos))}
    if os.path.realpath(wish.out) in read:
        raise UsageError(f"--out {wish.out}: is one of the pictures", "name another file")
    seen: set[Path] = set()
    for name in photos.files.tolist() if wish.draw else []:
        target = drawn_path(wish.draw or Path(), name)
        if os.path.realpath(target) in read:
            raise UsageError(f"--draw {wish.draw}: would write over the picture {target}", "name another folder")
        if target in seen:
            raise UsageError(f"--draw {wish.draw}: two pictures would be drawn as {target}", "draw them one by one")
        if target.exists() and not wish.force:
            raise UsageError(f"--draw: {target} exists already", "name another folder, or use --force")
        seen.add(target)


def _boxes(console: Console, wish: Wish, photos: Photos) -> list[Floats]:
    """The boxes (F, 4) of each picture; none where a picture is left out, which is told."""
    ways, faults = wish.ways, list[Fault]()
    if ways.box is not None:
        return [_parse_box(ways.box)] * len(photos)
    if ways.boxes is not None:
        found, faults = by_file(photos, read_boxes(ways.boxes), ways.boxes)
        _settle(console, wish, faults)
        return found
    if not ways.given:
        return whole(photos)
    detect = load(ways.detector or fetch())
    with counting(console, "looking for faces") as tick:
        found, faults = by_detector(photos, detect, tick)
    _settle(console, wish, faults)
    damaged = {row for row, _ in faults}
    for row in range(len(photos)):
        if not len(found[row]) and row not in damaged:
            console.print(f"note: no face found in {escape(str(photos.files[row]))}; it is left out", soft_wrap=True)
    return found


def _parse_box(text: str) -> Floats:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) != 4 or not np.isfinite(values).all() or min(values[2:]) <= 0:
        raise UsageError(f"--box {text}", "write left,top,width,height in px, as in --box 120,80,300,300")
    return np.array([values])


def _crop(console: Console, wish: Wish, dataset: Dataset) -> CropOptions:
    """How faces are cut out of photos: as in training, or in the nearest way there is, which is told."""
    crop = crop_of(wish.run, dataset)
    boxed = crop.box == "file"
    if not wish.ways.given:
        note = "this run was trained on whole pictures, and sees yours whole"
        if boxed:
            note = "no box and no detector, so each whole picture is taken for the face"
            note += "; --box, --boxes or --fetch-detector say where it is"
        console.print(f"note: {note}", soft_wrap=True)
        return crop.model_copy(update={"box": "image"})
    if boxed:
        return crop
    console.print(
        "note: this run was trained on whole pictures, so each box is taken for one, without a margin", soft_wrap=True
    )
    return crop.model_copy(update={"box": "file", "margin": 0.0})


def run_model(console: Console, wish: Wish, faces: Faces) -> Predictions:
    """The points of every face, in its photo's px, in the run's fullest marking scheme.

    Raises:
        QualityError: a point is no number.
    """
    run, count = wish.run, len(faces.dataset)
    if missing := sorted(set(run.wanted) - set(run.finished)):
        folds = ", ".join(map(str, missing))
        console.print(f"note: fold {folds} not finished; the others are averaged", soft_wrap=True)
    fullest = np.zeros(count, dtype=np.int64)
    steps = predict_folds(run, faces.dataset, fullest, len(run.env["schemes"]), None, faces.crop)
    result = None
    with counting(console, "predicting") as tick:
        for result in steps:
            tick(result.folds, run.models)
    assert result is not None
    found = result.predictions
    if (bad := np.argwhere(~np.isfinite(found.points).all(-1))).size:
        name, point = found.ids[bad[0, 0]], found.schema.points[bad[0, 1]]
        raise QualityError(f"{name}: {point} is not a finite number", "train again, this run cannot be used")
    return found


def _many(count: int, one: str) -> str:
    return f"{count} {one if count == 1 else one + 's'}"
