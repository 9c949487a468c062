"""Points on disk: parquet, one row an image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from kptool.dataset import Ints, Names, Predictions
from kptool.errors import DataError
from kptool.files import write_atomic
from kptool.geometry import Floats
from kptool.schema import Schema


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
    ids = np.asarray(frame["id"].tolist(), dtype=np.str_)
    return ids, values.reshape(len(frame), len(schema.points), 2)


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise DataError(f"{path}: {str(error).splitlines()[0]}", "resume the run to write it again") from None


def _column(frame: pd.DataFrame, name: str, path: Path) -> Floats:
    if name not in frame:
        raise DataError(f"{path}: no column '{name}'", "the file belongs to another competition or version")
    return frame[name].to_numpy(dtype=np.float64)
