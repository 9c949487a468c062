"""Seconds of training until the held-out RMSE of the real faces with all 15 points is 1.57 px or less.

Run with: KPTOOL_DATA_FKD=DIR pytest tests/bench/bench_time_to_score.py -m bench -s
What counts as a second, and why each length is a run of its own: README.md here.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from processes import side_by_side, two_cores

from kptool.competitions import find, read_recipe
from kptool.config import CropOptions, Recipe
from kptool.device import settle_process
from kptool.engine.cross_validate import choose_precision
from kptool.engine.fit import fit
from kptool.engine.history import read_history
from kptool.engine.of_points import make_task
from kptool.engine.progress import Progress
from kptool.engine.state import Job
from kptool.folds import Folds
from kptool.intake import take_in
from kptool.metrics import residuals, rmse
from kptool.pixels import prepare
from kptool.predictions import read_predictions
from kptool.tasks.contract import Task
from kptool.tasks.keypoints import Keypoints

TARGET = 1.57
"""What the old tutorial's successors reached in hours (a mean square of 0.00107 in half image sides), px."""

EPOCHS = [int(word) for word in os.environ.get("KPTOOL_BENCH_EPOCHS", "2,3,4").split(",")]
FOLDS = [int(word) for word in os.environ.get("KPTOOL_BENCH_FOLDS", "0,1,2").split(",")]
THREADS = (1, 2)
FOUND = find("facial-keypoints-detection")


class Result(NamedTuple):
    """One fold, trained to its end.

    Attributes:
        epochs: how long the run was planned to be.
        fold: which.
        precision: what the trial chose.
        seconds: of training.
        whole: seconds of everything `fit` does: evaluation, checkpoints and held-out predictions too.
        score: held-out RMSE of the recipe's views, px.
    """

    epochs: int
    fold: int
    precision: str
    seconds: float
    whole: float
    score: float


def recipe_of(epochs: int) -> Recipe:
    settings = ["data.rows=complete", f"train.epochs={epochs}", f"train.evaluate_every={epochs}"]
    return read_recipe(FOUND, "default", settings)


def train_all(build: Callable[..., Keypoints], folds: Folds, out: Path, threads: int) -> list[Result]:
    """Every length and fold, one after the other in this process."""
    recipe = recipe_of(EPOCHS[0])
    precision = choose_precision(partial(build, recipe, "cpu"), recipe, "cpu")
    settle_process("cpu")
    torch.set_num_threads(threads)
    results = []
    for epochs in EPOCHS:
        for fold in FOLDS:
            recipe, folder = recipe_of(epochs), out / f"{threads}-{epochs}-{fold}"
            job = Job(folder, fold, recipe, folds.train(fold), folds.held_out(fold), "cpu", precision)
            results.append(train_one(job, build(recipe, "cpu", precision)))
    return results


def train_one(job: Job, task: Keypoints) -> Result:
    begun = time.perf_counter()
    assert fit(job, task, ignore)
    whole = time.perf_counter() - begun
    found = read_predictions(job.out / "oof.parquet", task.arrays.schema)
    score = rmse(residuals(found.points, task.truth(job.held_out)))
    seconds = read_history(job.out / "history.csv")[-1].seconds
    return Result(job.recipe.train.epochs, job.fold, job.precision, seconds, whole, score)


def ignore(_: Progress) -> None:
    return


def keypoints(*args: object) -> Keypoints:
    task: Task = make_task(*args)  # type: ignore[arg-type]
    assert isinstance(task, Keypoints)
    return task


def report(threads: int, results: list[Result]) -> None:
    print(f"\none process, {threads} thread{'s' * (threads > 1)}, {results[0].precision}; {len(FOLDS)} folds")
    print("epochs   seconds: mean  worst   whole fit    RMSE px: mean  worst")
    first: dict[str, str] = {}
    for epochs in EPOCHS:
        rows = [row for row in results if row.epochs == epochs]
        seconds, scores = [row.seconds for row in rows], [row.score for row in rows]
        mean, worst = statistics.mean(scores), max(scores)
        whole = statistics.mean(row.whole for row in rows)
        print(f"{epochs:6d}{statistics.mean(seconds):15.2f}{max(seconds):7.2f}{whole:12.2f}{mean:18.3f}{worst:7.3f}")
        if mean <= TARGET:
            first.setdefault("the mean", f"{statistics.mean(seconds):.1f} s")
        if worst <= TARGET:
            first.setdefault("every fold", f"{max(seconds):.1f} s")
    for who in ("the mean", "every fold"):
        print(f"{who} at {TARGET} px or less: {first.get(who, 'not with these lengths')}")


@pytest.mark.bench
def test_time_to_score(fkd: Path, tmp_path: Path) -> None:
    intake = take_in(FOUND, recipe_of(1), fkd)
    build = partial(
        keypoints,
        prepare(intake.dataset, CropOptions(), 1).folder,
        intake.dataset.schema,
        intake.scheme,
        len(intake.schemes),
    )
    with two_cores():
        for threads in THREADS:
            [results] = side_by_side([partial(train_all, build, intake.folds, tmp_path, threads)])
            report(threads, results)
