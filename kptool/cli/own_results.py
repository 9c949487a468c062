"""The points found in one's own photos: written, drawn, printed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape

from kptool.annotations import make
from kptool.cli.own import Faces, Wish
from kptool.cli.terminal import counting
from kptool.dataset import Photos, Predictions
from kptool.drawing import draw_face, drawn_path, save_jpeg
from kptool.formats import table
from kptool.geometry import Floats
from kptool.own_photos import absolute
from kptool.photos import decode


def tell(console: Console, wish: Wish, faces: Faces, found: Predictions, as_json: bool) -> None:
    """Write the points, and the pictures where they are wanted, and say so."""
    photos, boxes = faces.dataset.images, faces.dataset.boxes
    assert isinstance(photos, Photos)
    assert boxes is not None, "a whole picture is a box too"
    home = absolute(wish.out if wish.format.name in table.FOLDERS else wish.out.parent)
    root, files = _named(photos, home)
    holds = wish.format.holds
    notes = make(  # no boxes, sizes or edges that the user never gave are told as lost
        root,
        files,
        found.schema.points,
        found.points,
        boxes if holds.boxes or wish.ways.given else None,
        sizes=photos.sizes if holds.sizes else None,
        edges=found.schema.edges if holds.edges else (),
    )
    lost = wish.format.write(notes, wish.out)
    console.print(
        f"{escape(str(wish.out))} ({wish.format.name}): {_many(len(found.ids), 'face')} in "
        f"{_many(len(set(files)), 'picture')}, {_many(len(found.schema.points), 'point')} each",
        soft_wrap=True,
    )
    if root != home:
        lost.append(f"its pictures' names are relative to {root}")
    for line in lost:
        console.print(f"note: {escape(line)}", soft_wrap=True)
    if wish.draw:
        drawn = draw_all(console, wish.draw, faces, found)
        console.print(f"{escape(str(wish.draw))}: {_many(drawn, 'picture')} drawn", soft_wrap=True)
    if as_json:
        typer.echo(json.dumps(to_json(found, boxes), indent=2, allow_nan=False))


def _named(photos: Photos, home: Path) -> tuple[Path, list[str]]:
    """The pictures' names as seen from the folder of what is written, where all lie below it; else from their own."""
    paths = [photos.path(row) for row in range(len(photos))]
    if all(path.is_relative_to(home) for path in paths):
        return home, [path.relative_to(home).as_posix() for path in paths]
    return photos.root, photos.files.tolist()


def to_json(found: Predictions, boxes: Floats) -> list[dict[str, object]]:
    """A face an object: id, box, points and spread (where the model tells one), px rounded to thousandths."""
    names = found.schema.points
    return [
        {
            "id": str(name),
            "box": [round(float(v), 3) for v in box],
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
            save_jpeg(picture, drawn_path(folder, name))
            tick(done, len(names))
    return len(names)


def _many(count: int, one: str) -> str:
    return f"{count} {one if count == 1 else one + 's'}"
