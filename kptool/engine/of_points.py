"""Keypoints as material for the engine: frames, labels and marking schemes of images, and what a run keeps of them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch

from kptool.config import Recipe
from kptool.crop import crop_maps, model_size, settled
from kptool.dataset import Dataset, Ints, Names
from kptool.engine.material import Material
from kptool.errors import UsageError
from kptool.folds import check_leak, save
from kptool.geometry import Floats
from kptool.intake import Intake
from kptool.pixels import Tick, open_arrays, prepare, refuse_faults
from kptool.predictions import Faces, join, read_predictions, write_faces, write_points, write_predictions
from kptool.runs import Run
from kptool.schema import Schema
from kptool.tasks.contract import Task
from kptool.tasks.keypoints import Keypoints


def of_points(intake: Intake, recipe: Recipe, tick: Tick | None = None) -> Material:
    """The material of labelled images; their frames are laid out in the cache, or found there.

    Args:
        tick: called as photos are decoded and cropped.

    Raises:
        DataError: an image that cannot be used.
    """
    dataset = intake.dataset
    check_leak(intake.folds.fold, intake.folds.group)
    frames = frames_of(dataset, recipe, tick)
    labels = labels_frame(frames, intake)
    schemes = [
        {
            "name": name,
            "points": [p for p, on in zip(dataset.schema.points, mask, strict=True) if on],
            "rows": int((intake.scheme == s).sum()),
        }
        for s, (name, mask) in enumerate(zip(intake.schemes.names, intake.schemes.masks, strict=True))
    ]
    facts = {
        "data_digest": dataset.digest,
        "size": model_size(dataset, recipe.crop),
        "crop_box": settled(dataset, recipe.crop).box,
        "schemes": schemes,
        "test_mix": intake.test_mix,
        "frames": frames.name,  # in the cache: a report finds the pictures again without the data
    }
    return Material(
        folds=intake.folds,
        training=intake.training,
        facts=facts,
        build=partial(make_task, frames, dataset.schema, intake.scheme, len(schemes), recipe, labels=labels),
        write=partial(_write, intake, recipe),
        join=partial(join_folds, schema=dataset.schema, order=dataset.ids),
    )


def _write(intake: Intake, recipe: Recipe, path: Path) -> None:
    dataset = intake.dataset
    write_points(path / "truth.parquet", dataset.ids, dataset.points, dataset.schema)
    if intake.labels is not None:
        write_points(path / "labels.parquet", dataset.ids, intake.labels, dataset.schema)
    write_faces(path / "faces.parquet", faces_of(dataset, recipe))
    save(intake.folds, dataset.ids, intake.scheme, path / "folds.parquet")


def frames_of(dataset: Dataset, recipe: Recipe, tick: Tick | None = None) -> Path:
    """The folder of a dataset's frames; raises DataError for the first image that cannot be used."""
    prepared = prepare(dataset, recipe.crop, recipe.model.channels, tick, recipe.image)
    refuse_faults(prepared.faults)
    return prepared.folder


def labels_frame(frames: Path, intake: Intake) -> Floats | None:
    """(N, K, 2) edited labels in the frame; None without edits. What no edit touches keeps every bit."""
    if intake.labels is None:
        return None
    arrays, read = open_arrays(frames, intake.dataset.schema), intake.dataset.points
    same = ((intake.labels == read) | (np.isnan(intake.labels) & np.isnan(read))).all(-1, keepdims=True)
    return np.where(same, arrays.points_frame, arrays.to_frame(intake.labels))


def faces_of(dataset: Dataset, recipe: Recipe) -> Faces:
    """Where each face lies, and the map from its picture to the model's frame."""
    return Faces(dataset.ids, crop_maps(dataset, recipe.crop), dataset.every_box, np.array(dataset.sizes))


def make_task(
    frames: Path,
    schema: Schema,
    scheme: Ints,
    schemes: int,
    recipe: Recipe,
    device: str,
    precision: str = "fp32",
    labels: Floats | None = None,
) -> Task:
    """Open a run's data on a device; called in every worker. `labels` are trained on instead, see `labels_frame`."""
    arrays = open_arrays(frames, schema)
    resident = None
    if torch.device(device).type != "cpu":
        resident = torch.from_numpy(np.array(arrays.images)).to(device)
    return Keypoints(arrays, scheme, schemes, recipe, device, precision, resident, labels)


def refuse_other_schemes(run: Run, intake: Intake) -> None:
    """Raise UsageError where a run's marking schemes are no longer those it was begun with."""
    points = intake.dataset.schema.points
    now = [[p for p, on in zip(points, mask, strict=True) if on] for mask in intake.schemes.masks]
    if now != [one["points"] for one in run.env["schemes"]]:
        raise UsageError(
            f"{run.path}: the marking schemes have changed", "restore competition.toml, or start a new run"
        )


def join_folds(run: Run, schema: Schema, order: Names) -> None:
    """Write oof.parquet: the finished folds' predictions in the data's order."""
    parts = [read_predictions(file, schema) for file in run.of_finished("oof.parquet")]
    if parts:
        write_predictions(run.path / "oof.parquet", join(parts, order)[1])
