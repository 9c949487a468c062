"""A run's folder as the outcome a report is made of; the data itself is not needed."""

from __future__ import annotations

import json

import numpy as np

from kptool.dataset import Names
from kptool.edits import count_actions
from kptool.engine.history import Epoch, read_history
from kptool.errors import DataError
from kptool.folds import load as load_folds
from kptool.geometry import identity
from kptool.metrics import has_boxes
from kptool.predictions import Faces, join, read_faces, read_points, read_predictions
from kptool.report.outcome import Edited, Outcome
from kptool.runs import Run
from kptool.schemes import of_saved
from kptool.tasks.across import FILE, Across, read_across


def load(run: Run) -> Outcome:
    """Read what a run has reached, finished or not.

    Raises:
        DataError: no fold has predicted yet, or a file of the run is damaged.
    """
    schema, env = run.found.competition.schema_of_points, run.env
    if not run.finished:
        raise DataError(f"{run.path}: no fold is finished", f"kptool cv --resume {run.path}")
    ids, truth = read_points(run.path / "truth.parquet", schema)
    folds = load_folds(run.path / "folds.parquet", env["data_digest"], ids)
    rows, found = join([read_predictions(file, schema) for file in run.of_finished("oof.parquet")], ids)
    predicted, spread = np.full(truth.shape, np.nan), np.full(truth.shape[:2], np.nan)
    predicted[rows], spread[rows] = found.points, found.spread
    schemes, faces, history = of_saved(env["schemes"], schema), load_faces(run, ids), _history(run)
    return Outcome(
        title=run.found.competition.title,
        run=run.path.name,
        recipe_name=called(run),
        recipe_digest=run.digest,
        data_digest=env["data_digest"],
        schema=schema,
        size=(int(env["size"][0]), int(env["size"][1])),
        to_frame=faces.to_frame,
        boxes=faces.boxes if has_boxes(faces.boxes) else None,
        sizes=faces.sizes,
        metric=run.found.competition.metric,
        normaliser=run.found.competition.normaliser,
        ids=ids,
        truth=truth,
        predicted=predicted,
        spread=spread,
        fold=np.where(np.isin(np.arange(len(ids)), rows), folds.fold, -1),
        scheme=schemes.assign(np.asarray(np.isfinite(truth).all(-1))),
        schemes=schemes,
        test_mix=env["test_mix"],
        group=folds.group,
        seconds=_seconds(run),
        images_per_second=_speed(history),
        device=str(env["device"]),
        precision=str(env["precision"]),
        keep=run.recipe.train.keep,
        views=views_of(run),
        label_shift=_label_shift(run),
        edited=_edited(run, ids),
        across=_across(run, len(schemes), len(schema.points)),
        history=history,
        recipe=run.recipe if run.members is None else None,
    )


def called(run: Run) -> str:
    """The recipe's name; of an ensemble, of how many runs it is."""
    members = run.members
    if members is None:
        return run.recipe.name
    count = len(members.each)
    words = f"ensemble of {count} run{'s' if count > 1 else ''}"
    return words if run.recipe.name == "ensemble" else f"{run.recipe.name}, {words}"


def views_of(run: Run) -> str:
    """The views in words; of an ensemble, what becomes of its runs' own."""
    members = run.members
    if members is None:
        return run.recipe.predict.describe()
    if members.how == "equal":
        return "of each run its own, all averaged"
    return "of each run its own, weighed by a fit on all folds; out of fold, each fold by a fit on the others"


def load_faces(run: Run, ids: Names) -> Faces:
    """The run's faces.parquet; a run of an older version has none, and all its images were of the model's own size.

    Raises:
        DataError: the file is damaged, or of other images than `ids`.
    """
    file = run.path / "faces.parquet"
    if not file.exists():
        size = (int(run.env["size"][0]), int(run.env["size"][1]))
        return Faces(ids, identity(len(ids)), np.full((len(ids), 4), np.nan), np.tile(np.array(size), (len(ids), 1)))
    faces = read_faces(file)
    if not np.array_equal(faces.ids, ids):
        raise DataError(f"{file}: other images than in truth.parquet", "restore the run's own files, or train again")
    return faces


def _across(run: Run, schemes: int, points: int) -> Across | None:
    """The sums of all finished folds; None where one has none: an older run's, an ensemble's, or of one scheme."""
    files = run.of_finished(FILE)
    if not all(file.is_file() for file in files):
        return None
    first, *others = (read_across(file, schemes, points) for file in files)
    return sum(others, first)


def _edited(run: Run, ids: Names) -> Edited | None:
    if not run.recipe.data.edits or run.members is not None:  # the runs of an ensemble may have learned from others
        return None
    file = run.path / "labels.parquet"
    names, labels = read_points(file, run.found.competition.schema_of_points)
    if not np.array_equal(names, ids):
        raise DataError(f"{file}: other images than in truth.parquet", "restore the run's own files, or train again")
    return Edited(labels, count_actions(run.recipe.data.edits))


def _seconds(run: Run) -> float | None:
    file = run.path / "timing.json"
    return float(json.loads(file.read_text())["seconds"]) if file.is_file() else None


def _history(run: Run) -> dict[int, list[Epoch]]:
    files = {k: run.fold(k) / "history.csv" for k in run.finished}  # an ensemble has none
    return {k: read_history(file) for k, file in files.items() if file.is_file()}


def _speed(history: dict[int, list[Epoch]]) -> float | None:
    speeds = [row.images_per_second for rows in history.values() for row in rows]
    return float(np.median(speeds)) if speeds else None


def _label_shift(run: Run) -> list[float] | None:
    """Mean over the folds of what each learned of its labels; None for a run without mirroring."""
    files = run.of_finished("learned.json")
    if not run.recipe.augment.mirror or not all(file.is_file() for file in files):
        return None
    shifts = [json.loads(file.read_text(encoding="utf-8"))["label_shift"] for file in files]
    return [float(v) for v in np.mean(shifts, axis=0)]
