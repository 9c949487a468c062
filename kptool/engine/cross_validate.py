"""A run from intake to out-of-fold predictions, and from wherever it was cut off."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from kptool.competitions import Found
from kptool.config import Recipe
from kptool.crop import crop_maps, model_size, settled
from kptool.dataset import Dataset, Ints, Names
from kptool.device import pick_precision, pick_workers, settle_process
from kptool.engine import checkpoint
from kptool.engine.fit import Watch, train_step
from kptool.engine.optim import make_optimizers
from kptool.engine.pool import run_folds
from kptool.engine.state import Job, State
from kptool.errors import DataError, UsageError
from kptool.files import file_digest
from kptool.folds import check_leak, save
from kptool.geometry import Floats
from kptool.intake import Intake
from kptool.pixels import Tick, open_arrays, prepare, refuse_faults
from kptool.predictions import Faces, join, read_predictions, write_faces, write_points, write_predictions
from kptool.runs import Run, add_seconds, create, lock
from kptool.schema import Schema
from kptool.tasks.contract import Task
from kptool.tasks.keypoints import Keypoints


def begin(
    root: Path, found: Found, recipe: Recipe, intake: Intake, env: dict[str, Any], tick: Tick | None = None
) -> Run:
    """Make the run's folder and everything in it that training needs.

    Args:
        tick: called as photos are decoded and cropped.
        env: what the command line decided: "data", "device", "folds".
    """
    schemes = [
        {
            "name": name,
            "points": [p for p, on in zip(intake.dataset.schema.points, mask, strict=True) if on],
            "rows": int((intake.scheme == s).sum()),
        }
        for s, (name, mask) in enumerate(zip(intake.schemes.names, intake.schemes.masks, strict=True))
    ]
    env |= {
        "data_digest": intake.dataset.digest,
        "size": model_size(intake.dataset, recipe.crop),
        "crop_box": settled(intake.dataset, recipe.crop).box,
        "schemes": schemes,
        "test_mix": intake.test_mix,
        "weights_digest": weights_digest(recipe),
    }
    frames = frames_of(intake.dataset, recipe, tick)
    env["frames"] = frames.name  # in the cache: a report finds the pictures again without the data
    labels = labels_frame(frames, intake)
    build = partial(
        make_task, frames, intake.dataset.schema, intake.scheme, len(schemes), recipe, env["device"], labels=labels
    )
    env["parameters"] = _parameters(build, recipe)
    env["precision"] = choose_precision(build, recipe, env["device"])
    check_leak(intake.folds.fold, intake.folds.group)
    run = create(root, found, recipe, env)
    write_points(run.path / "truth.parquet", intake.dataset.ids, intake.dataset.points, intake.dataset.schema)
    if intake.labels is not None:
        write_points(run.path / "labels.parquet", intake.dataset.ids, intake.labels, intake.dataset.schema)
    write_faces(run.path / "faces.parquet", faces_of(intake.dataset, recipe))
    save(intake.folds, intake.dataset.ids, intake.scheme, run.path / "folds.parquet")
    return run


def _parameters(build: Callable[[], Task], recipe: Recipe) -> int:
    """How many the network has. What cannot be built or trained is told here, before there is a run."""
    try:
        model = build().model()
        make_optimizers(model, recipe.train)
    except (RuntimeError, MemoryError) as error:  # torch's words for no memory on a CPU
        why = (str(error).splitlines() or ["no memory"])[0][:120]
        raise UsageError(
            f"the network cannot be built: {why}", "make its layers, model.width or model.bins smaller"
        ) from None
    if recipe.train.batch_size == 1 and any(isinstance(m, nn.BatchNorm1d) for m in model.modules()):
        raise UsageError("norm after dense or flatten needs more than one image", "set train.batch_size to 2 or more")
    # Without the label shift, which is no part of the network: so the numbers are those that papers print.
    return sum(p.numel() for name, p in model.named_parameters() if name != "shift_units")


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


def train(run: Run, intake: Intake, watch: Watch, workers: int | None = None) -> None:
    """Train what is left of a run's folds and join their out-of-fold predictions.

    Raises:
        KptoolError: a fold failed; what it had reached is on disk.
    """
    env = run.env
    device, precision = str(env["device"]), str(env["precision"])
    with lock(run):
        begun = time.perf_counter()
        jobs = {k: _job(run, intake, k, device, precision) for k in run.wanted if k not in run.finished}
        left = {k: run.recipe.train.epochs - epochs_done(job.out) for k, job in jobs.items()}
        if jobs:
            frames = frames_of(intake.dataset, run.recipe)
            schema, schemes = intake.dataset.schema, len(intake.schemes)
            labels = labels_frame(frames, intake)
            build = partial(make_task, frames, schema, intake.scheme, schemes, run.recipe, device, precision, labels)
            try:
                run_folds(jobs, left, build, pick_workers(device, len(jobs), workers), watch)
            finally:
                add_seconds(run, time.perf_counter() - begun)
        join_folds(run, intake.dataset.schema, intake.dataset.ids)


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


def weights_digest(recipe: Recipe) -> str | None:
    """Digest of the weights file that a recipe starts from, None where it names none.

    Raises:
        UsageError: no such file.
    """
    if not recipe.model.weights:
        return None
    file = Path(recipe.model.weights)
    if not file.is_file():
        raise UsageError(f"model.weights {file}: no such file", "name a .safetensors file")
    return file_digest(file)


def refuse_other_weights(run: Run) -> None:
    """Raise DataError where a run's folds would not all start from the same weights."""
    if weights_digest(run.recipe) != run.env["weights_digest"]:
        raise DataError(
            f"{run.recipe.model.weights} has changed since {run.path} was begun", "restore it, or start a new run"
        )


def refuse_other_schemes(run: Run, intake: Intake) -> None:
    """Raise UsageError where a run's marking schemes are no longer those it was begun with."""
    points = intake.dataset.schema.points
    now = [[p for p, on in zip(points, mask, strict=True) if on] for mask in intake.schemes.masks]
    if now != [one["points"] for one in run.env["schemes"]]:
        raise UsageError(
            f"{run.path}: the marking schemes have changed", "restore competition.toml, or start a new run"
        )


def epochs_done(out: Path) -> int:
    """How many epochs of a fold are safe on disk."""
    found = checkpoint.load_newest(out / "last.safetensors", out / "previous.safetensors")
    return 0 if found is None else int(found[1]["epoch"])


def join_folds(run: Run, schema: Schema, order: Names) -> None:
    """Write oof.parquet: the finished folds' predictions in the data's order."""
    parts = [read_predictions(run.fold(k) / "oof.parquet", schema) for k in run.finished]
    if parts:
        write_predictions(run.path / "oof.parquet", join(parts, order)[1])


def wanted_folds(text: str | None, count: int) -> list[int]:
    """--folds as numbers: "0,2" -> [0, 2]; None = all.

    Raises:
        UsageError: not a list of fold numbers.
    """
    if text is None:
        return list(range(count))
    try:
        folds = sorted({int(part) for part in text.split(",")})
    except ValueError:
        raise UsageError(f"--folds {text}", "write fold numbers with commas, as in --folds 0,2") from None
    if not folds or folds[0] < 0 or folds[-1] >= count:
        raise UsageError(f"--folds {text}: the recipe has folds 0 to {count - 1}", "folds.count sets how many")
    return folds


def _job(run: Run, intake: Intake, fold: int, device: str, precision: str) -> Job:
    held_out = intake.folds.held_out(fold)
    return Job(run.fold(fold), fold, run.recipe, intake.training(fold), held_out, device, precision)


def choose_precision(build: Callable[[], Task], recipe: Recipe, device: str) -> str:
    """The precision to train in; where it has to be timed, on what the workers will do: one thread, a real step."""
    if recipe.train.precision != "auto" or torch.device(device).type != "cpu":
        return pick_precision(lambda _: None, device, recipe.train.precision)
    settle_process(device)
    task = build()
    rows = np.arange(min(recipe.train.batch_size, task.rows))
    model = task.model()
    state = State(model, make_optimizers(model, recipe.train), None)

    def step(precision: str) -> None:
        job = Job(Path(), 0, recipe, rows, rows, device, precision)
        train_step(state, job, task, rows, (0, 0))

    return pick_precision(step, device, "auto")
