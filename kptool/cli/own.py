"""The steps of a prediction on one's own photos."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape

from kptool.annotations import make
from kptool.cli.terminal import counting
from kptool.config import CropOptions
from kptool.dataset import Dataset, Photos, Predictions
from kptool.detector import fetch, load
from kptool.drawing import draw_face, save_jpeg
from kptool.errors import DataError, UsageError
from kptool.formats import table
from kptool.formats.boxes import read_boxes
from kptool.formats.table import AnnotationFormat
from kptool.geometry import Floats
from kptool.own_photos import by_detector, by_file, collect, to_dataset, whole
from kptool.photos import decode
from kptool.pixels import Fault, prepare, refuse_faults
from kptool.predict import crop_of, predict_folds
from kptool.runs import Run


@dataclass(frozen=True)
class Wish:
    """What the user typed."""

    run: Run
    images: tuple[Path, ...]
    box: str | None
    boxes: Path | None
    detector: Path | None
    fetch_detector: bool
    out: Path
    to: str | None
    draw: Path | None
    on_bad: str
    force: bool

    @property
    def format(self) -> AnnotationFormat:
        """What is written."""
        if self.to is None and self.out.suffix.lower() not in table.ENDINGS:
            endings = ", ".join(sorted(table.ENDINGS))
            raise UsageError(f"--out {self.out}: its ending tells no format", f"end it in {endings}, or give --to")
        return table.get(self.to or table.ENDINGS[self.out.suffix.lower()])


class Faces(NamedTuple):
    """The faces to answer, and how they are cut out of their pictures."""

    dataset: Dataset
    crop: CropOptions


def check(wish: Wish) -> Wish:
    """Refuse what makes no sense, before anything is decoded."""
    given = [name for name, on in _ways(wish).items() if on]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} do not go together", "say in one way where the faces are")
    if wish.on_bad not in ("fail", "skip"):
        raise UsageError(f"--on-bad {wish.on_bad}", "use fail or skip")
    if not wish.run.finished:
        raise UsageError(f"{wish.run.path}: no fold is finished", f"kptool cv --resume {wish.run.path}")
    if wish.out.exists() and not wish.force and wish.format.name not in table.FOLDERS:
        raise UsageError(f"{wish.out} exists", "name another --out, or use --force")
    return wish


def _ways(wish: Wish) -> dict[str, bool]:
    return {
        "--box": wish.box is not None,
        "--boxes": wish.boxes is not None,
        "--detector": wish.detector is not None,
        "--fetch-detector": wish.fetch_detector,
    }


def find_faces(console: Console, wish: Wish) -> Faces:
    """The faces of the pictures: from boxes, a detector, or else each whole picture; the user is told which.

    Raises:
        DataError: a picture that cannot be used under --on-bad fail, or no face at all.
    """
    pictures = collect(wish.images)
    _settle(console, wish, pictures.faults)
    boxes = _boxes(console, wish, pictures.photos)
    dataset = to_dataset(pictures.photos, boxes, wish.run.found.competition.schema_of_points)
    if not len(dataset):
        raise DataError(f"no face in {len(pictures.photos)} pictures", "say where they are with --box or --boxes")
    crop = crop_of(wish.run, dataset)
    if not any(_ways(wish).values()) or crop.box == "image":
        _say_whole(console, crop)
        crop = crop.model_copy(update={"box": "image"})
    with counting(console, "decoding photos") as tick:
        faults = prepare(dataset, crop, wish.run.recipe.model.channels, tick).faults
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


def _boxes(console: Console, wish: Wish, photos: Photos) -> list[Floats]:
    if wish.box is not None:
        return [_parse_box(wish.box)] * len(photos)
    if wish.boxes is not None:
        return by_file(photos, read_boxes(wish.boxes), str(wish.boxes))
    if wish.detector is None and not wish.fetch_detector:
        return whole(photos)
    detect = load(wish.detector or fetch())
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


def _say_whole(console: Console, crop: CropOptions) -> None:
    if crop.box == "image":
        console.print("note: this run was trained on whole images, and sees yours whole")
        return
    console.print(
        "note: no box and no detector, so each whole picture is taken for the face; "
        "--box, --boxes or --fetch-detector say where it is",
        soft_wrap=True,
    )


def run_model(console: Console, wish: Wish, faces: Faces) -> Predictions:
    """The points of every face, in its photo's px, in the run's fullest marking scheme."""
    run, count = wish.run, len(faces.dataset)
    steps = predict_folds(
        run, faces.dataset, np.zeros(count, dtype=np.int64), len(run.env["schemes"]), None, faces.crop
    )
    result = None
    with counting(console, "predicting") as tick:
        for result in steps:
            tick(result.folds, len(run.finished))
    assert result is not None
    return result.predictions


def tell(console: Console, wish: Wish, faces: Faces, found: Predictions, as_json: bool) -> None:
    """Write the points, and the pictures where they are wanted, and say so."""
    photos = faces.dataset.images
    assert isinstance(photos, Photos)
    boxes = np.full((len(found.ids), 4), np.nan) if faces.dataset.boxes is None else faces.dataset.boxes
    files = [str(photos.files[row]) for row in range(len(photos))]
    notes = make(photos.root, files, found.schema.points, found.points, boxes, None, photos.sizes, found.schema.edges)
    lost = wish.format.write(notes, wish.out)
    drawn = draw_all(console, wish.draw, faces, found) if wish.draw else 0
    if as_json:
        typer.echo(json.dumps(_rows(found, boxes), indent=2, allow_nan=False))
        return
    console.print(f"{escape(str(wish.out))}: {len(found.ids)} faces, {len(found.schema.points)} points", soft_wrap=True)
    for line in lost:
        console.print(f"note: {escape(line)}", soft_wrap=True)
    if wish.draw:
        console.print(f"{escape(str(wish.draw))}: {drawn} pictures drawn", soft_wrap=True)


def _rows(found: Predictions, boxes: Floats) -> list[dict[str, object]]:
    names = found.schema.points
    return [
        {
            "id": str(name),
            "box": box.tolist(),
            "points": {p: [round(float(v), 3) for v in xy] for p, xy in zip(names, points, strict=True)},
            "spread": {p: round(float(s), 3) for p, s in zip(names, spread, strict=True) if np.isfinite(s)},
        }
        for name, box, points, spread in zip(found.ids, boxes, found.points, found.spread, strict=True)
    ]


def draw_all(console: Console, folder: Path, faces: Faces, found: Predictions) -> int:
    """Write every picture with its faces' points drawn in, as JPEG under its own name; how many."""
    photos = faces.dataset.images
    assert isinstance(photos, Photos)
    boxes = faces.dataset.boxes if faces.crop.box != "image" else None
    names = list(dict.fromkeys(photos.files.tolist()))
    with counting(console, "drawing") as tick:
        for done, name in enumerate(names, 1):
            rows = np.flatnonzero(photos.files == name)
            picture = np.ascontiguousarray(decode(photos.path(int(rows[0])), 3).pixels)
            for row in rows:
                draw_face(picture, found.points[row], found.schema.edges, None if boxes is None else boxes[row])
            target = folder / name
            save_jpeg(picture, target if target.suffix.lower() in (".jpg", ".jpeg") else folder / f"{name}.jpg")
            tick(done, len(names))
    return len(names)
