"""A run from intake to out-of-fold predictions, and from wherever it was cut off."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from kptool.competitions import Found
from kptool.config import Recipe
from kptool.device import pick_precision, pick_workers, settle_process
from kptool.engine import checkpoint
from kptool.engine.fit import Watch, train_step
from kptool.engine.material import Material
from kptool.engine.of_pairs import of_pairs
from kptool.engine.of_points import of_points
from kptool.engine.optim import make_optimizers
from kptool.engine.pool import run_folds
from kptool.engine.state import Job, State
from kptool.errors import DataError, UsageError
from kptool.files import file_digest
from kptool.intake import Intake
from kptool.pair_intake import PairIntake
from kptool.pixels import Tick
from kptool.runs import Run, add_seconds, create, lock
from kptool.tasks.contract import Task

Taken = Intake | PairIntake


def begin(root: Path, found: Found, recipe: Recipe, taken: Taken, env: dict[str, Any], tick: Tick | None = None) -> Run:
    """Make the run's folder and everything in it that training needs.

    Args:
        tick: called as photos are decoded and cropped.
        env: what the command line decided: "data", "device", "folds".
    """
    material = material_of(taken, recipe, tick)
    env |= material.facts | {"weights_digest": weights_digest(recipe)}
    build = partial(material.build, env["device"], "fp32")
    env["parameters"] = _parameters(build, recipe)
    env["precision"] = choose_precision(build, recipe, env["device"])
    run = create(root, found, recipe, env)
    material.write(run.path)
    return run


def material_of(taken: Taken, recipe: Recipe, tick: Tick | None = None) -> Material:
    """What was taken in as the engine sees it; the only place where it asks of which task that is."""
    return of_pairs(taken, recipe, tick) if isinstance(taken, PairIntake) else of_points(taken, recipe, tick)


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


def train(run: Run, taken: Taken, watch: Watch, workers: int | None = None) -> None:
    """Train what is left of a run's folds and join their out-of-fold predictions.

    Raises:
        KptoolError: a fold failed; what it had reached is on disk.
    """
    env = run.env
    device, precision = str(env["device"]), str(env["precision"])
    with lock(run):
        begun = time.perf_counter()
        material = material_of(taken, run.recipe)
        jobs = {k: _job(run, material, k, device, precision) for k in run.wanted if k not in run.finished}
        left = {k: run.recipe.train.epochs - epochs_done(job.out) for k, job in jobs.items()}
        if jobs:
            build = partial(material.build, device, precision)
            try:
                run_folds(jobs, left, build, pick_workers(device, len(jobs), workers), watch)
            finally:
                with suppress(OSError):  # on a full disk; what stopped the folds must not be lost behind it
                    add_seconds(run, time.perf_counter() - begun)
        if run.finished:
            material.join(run)


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


def epochs_done(out: Path) -> int:
    """How many epochs of a fold are safe on disk."""
    found = checkpoint.load_newest(out / "last.safetensors", out / "previous.safetensors")
    return 0 if found is None else int(found[1]["epoch"])


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


def _job(run: Run, material: Material, fold: int, device: str, precision: str) -> Job:
    held_out = material.folds.held_out(fold)
    return Job(run.fold(fold), fold, run.recipe, material.training(fold), held_out, device, precision)


def choose_precision(build: Callable[[], Task], recipe: Recipe, device: str) -> str:
    """The precision to train in; where it has to be timed, on what the workers will do: one thread, a real step."""
    if not recipe.train.epochs:  # nothing is trained, so nothing is worth rounding
        return "fp32" if recipe.train.precision == "auto" else recipe.train.precision
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
