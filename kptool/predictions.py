"""Points, and where each face lies in its picture, on disk: parquet, one row an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from kptool.dataset import Ints, Names, Predictions
from kptool.errors import DataError
from kptool.files import write_atomic
from kptool.geometry import Affine, Floats
from kptool.schema import Schema

BOX: Final = ("box_left", "box_top", "box_width", "box_height")
SIZE: Final = ("width", "height")
# x' = a x + b y + c, y' = d x + e y + f; the map's last row is always (0, 0, 1).
MAP: Final = tuple(f"to_frame_{letter}" for letter in "abcdef")


@dataclass(frozen=True)
class Faces:
    """Where each face lies in its picture, and the frame that the model was shown it in.

    Attributes:
        ids: (N,) str.
        to_frame: N maps from the original picture's px to the crop's; the identity where pictures are not cropped.
        boxes: (N, 4) float64 left, top, width, height in the original picture's px; NaN where a row has none.
        sizes: (N, 2) int, W and H of the original pictures in px.
    """

    ids: Names
    to_frame: Affine
    boxes: Floats
    sizes: Ints

    def __post_init__(self) -> None:
        n = len(self.ids)
        assert self.to_frame.matrix.shape == (n, 3, 3), self.to_frame.matrix.shape
        assert self.boxes.shape == (n, 4), self.boxes.shape
        assert self.sizes.shape == (n, 2), self.sizes.shape


def write_faces(path: Path, faces: Faces) -> None:
    """Write the ids, the six numbers of each map, the boxes and the pictures' sizes."""
    columns = {
        **dict(zip(MAP, faces.to_frame.matrix[:, :2].reshape(-1, 6).T, strict=True)),
        **dict(zip(BOX, faces.boxes.T, strict=True)),
        **dict(zip(SIZE, faces.sizes.T, strict=True)),
    }
    frame = pd.DataFrame({"id": [str(v) for v in faces.ids], **columns})
    write_atomic(path, lambda temporary: frame.to_parquet(temporary, index=False))


def read_faces(path: Path) -> Faces:
    """Read `write_faces` back.

    Raises:
        DataError: the file cannot be read, lacks a column, or holds a map or a size that is not a finite number.
    """
    frame = _read(path)
    maps, sizes = (np.stack([_column(frame, name, path) for name in names], axis=1) for names in (MAP, SIZE))
    bad = ~np.isfinite(np.concatenate([maps, sizes], axis=1)).all(1)
    if bad.any():
        raise DataError(f"{path}: row {int(bad.argmax())} has a map or a size that is no number", "write it again")
    matrix = np.zeros((len(frame), 3, 3))
    matrix[:, :2], matrix[:, 2, 2] = maps.reshape(-1, 2, 3), 1
    boxes = np.stack([_column(frame, name, path) for name in BOX], axis=1)
    return Faces(_ids(frame, path), Affine(matrix), boxes, sizes.astype(np.int64))


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write ids, the 2K coordinates (`name_x`, `name_y`) and the K spreads (`name_spread`)."""
    schema = predictions.schema
    table = _points_table(predictions.ids, predictions.points, schema)
    spreads = {f"{point}_spread": predictions.spread[:, k] for k, point in enumerate(schema.points)}
    frame = pd.concat([table, pd.DataFrame(spreads)], axis=1)
    write_atomic(path, lambda temporary: frame.to_parquet(temporary, index=False))


def read_predictions(path: Path, schema: Schema) -> Predictions:
    """Read `write_predictions` back; raises DataError where a column is missing."""
    frame = _read(path)
    ids, points = _points_from(frame, path, schema)
    spread = np.stack([_column(frame, f"{point}_spread", path) for point in schema.points], axis=1)
    return Predictions(ids, points, spread, schema)


def write_points(path: Path, ids: Names, points: Floats, schema: Schema) -> None:
    """Write labels (N, K, 2), NaN = not labelled."""
    table = _points_table(ids, points, schema)
    write_atomic(path, lambda temporary: table.to_parquet(temporary, index=False))


def read_points(path: Path, schema: Schema) -> tuple[Names, Floats]:
    """Read `write_points` back: ids (N,) and points (N, K, 2)."""
    return _points_from(_read(path), path, schema)


def join(parts: Sequence[Predictions], order: Names) -> tuple[Ints, Predictions]:
    """Several folds' predictions as one, in the data's order.

    Args:
        parts: at least one fold.
        order: (N,) every id of the data.

    Returns:
        The rows of the data that the folds cover, ascending, and the predictions of those rows.
    """
    ids, points, spread = (np.concatenate([getattr(p, name) for p in parts]) for name in ("ids", "points", "spread"))
    place = {str(name): n for n, name in enumerate(order)}
    rows = np.array([place[str(name)] for name in ids], dtype=np.int64)
    ascending = np.argsort(rows, kind="stable")
    whole = Predictions(ids[ascending], points[ascending], spread[ascending], parts[0].schema)
    return rows[ascending], whole


def _points_table(ids: Names, points: Floats, schema: Schema) -> pd.DataFrame:
    flat = points.reshape(len(points), -1)
    columns = {name: flat[:, k] for k, name in enumerate(schema.columns)}
    return pd.DataFrame({"id": [str(v) for v in ids], **columns})


def _points_from(frame: pd.DataFrame, path: Path, schema: Schema) -> tuple[Names, Floats]:
    values = np.stack([_column(frame, name, path) for name in schema.columns], axis=1)
    return _ids(frame, path), values.reshape(len(frame), len(schema.points), 2)


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise DataError(f"{path}: {str(error).splitlines()[0]}", "resume the run to write it again") from None


def _ids(frame: pd.DataFrame, path: Path) -> Names:
    if "id" not in frame:
        raise DataError(f"{path}: no column 'id'", "the file belongs to another competition or version")
    return np.asarray(frame["id"].tolist(), dtype=np.str_)


def _column(frame: pd.DataFrame, name: str, path: Path) -> Floats:
    if name not in frame:
        raise DataError(f"{path}: no column '{name}'", "the file belongs to another competition or version")
    return frame[name].to_numpy(dtype=np.float64)
