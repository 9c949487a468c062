"""Training images a second, kptool against the ordinary way, on two cores. What is compared: README.md here.

Run with: pytest tests/bench/bench_training.py -m bench -s
"""

from __future__ import annotations

import itertools
import os
import statistics
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from networks import CONTESTS, Contest, Plain, net6
from ordinary import Faces
from ordinary import train as train_ordinary
from processes import Meeting, meet, rate, side_by_side, two_cores

from kptool.competitions import find, read_recipe
from kptool.config import CropOptions
from kptool.dataset import Dataset
from kptool.device import settle_process
from kptool.engine import cross_validate
from kptool.engine.fit import steps_per_epoch, train_step
from kptool.engine.optim import set_rates
from kptool.engine.state import Job, start
from kptool.formats.drawn_faces import read_train as read_drawn
from kptool.formats.kaggle_faces import read_train
from kptool.models.net import Net
from kptool.pixels import open_arrays, prepare
from kptool.tasks.keypoints import Keypoints

SECONDS = float(os.environ.get("KPTOOL_BENCH_SECONDS", "12"))
WARM = min(3.0, SECONDS)
ROUNDS = int(os.environ.get("KPTOOL_BENCH_ROUNDS", "3"))
FOUND = find("facial-keypoints-detection")
SCHEMA = FOUND.competition.schema_of_points
COPIES = 7
"""How often the 1000 drawn faces are repeated, so that an epoch is about as long as Kaggle's 7049 rows."""


class Files(NamedTuple):
    """The data of both sides: Kaggle's CSV, and kptool's prepared frames of it."""

    csv: Path
    frames: Path


class Work(Keypoints):
    """kptool's task with one set of outputs, and with Net6 where the recipe names it."""

    def model(self, fresh: bool = True) -> Net:
        if self.recipe.model.backbone != "net6":
            return super().model(fresh)
        return net6(len(self.arrays.schema.points), self.schemes, self.arrays.size).to(
            memory_format=torch.channels_last
        )


def work(files: Files, contest: Contest, precision: str) -> Work:
    arrays = open_arrays(files.frames, SCHEMA)
    recipe = read_recipe(FOUND, "default", contest.settings)
    return Work(arrays, np.zeros(len(arrays.ids), dtype=np.int64), 1, recipe, "cpu", precision)


def choose_precision(files: Files, contest: Contest) -> str:
    """kptool's own trial, as `kptool cv` makes it before training."""
    build = partial(work, files, contest, "fp32")
    return cross_validate.choose_precision(build, build().recipe, "cpu")


def measure_kptool(meeting: Meeting, number: int, files: Files, contest: Contest, precision: str) -> float:
    """One worker of `kptool cv` on fold `number`."""
    settle_process("cpu")
    task = work(files, contest, precision)
    rows = np.arange(task.rows)
    job = Job(Path(), number, task.recipe, rows[rows % 5 != number], rows[rows % 5 == number], "cpu", precision)
    return rate(steps(job, task).__next__, meeting, WARM, SECONDS)


def steps(job: Job, task: Keypoints) -> Iterator[int]:
    """kptool.engine.fit's epoch, told step by step."""
    train = job.recipe.train
    state = start(job, task)
    state.model.train()
    count = steps_per_epoch(len(job.training), train.batch_size)
    for epoch in itertools.count():
        order = np.random.default_rng([job.recipe.seed, job.fold, epoch]).permutation(job.training)
        for step in range(count):
            set_rates(state.optimizers, train, (epoch * count + step) / (train.epochs * count))
            rows = order[step * train.batch_size : (step + 1) * train.batch_size]
            train_step(state, job, task, rows, (epoch, step))
            yield len(rows)


def measure_ordinary(meeting: Meeting, files: Files, contest: Contest, parsed: bool) -> float:
    """The ordinary process; `parsed` spares it the parsing."""
    faces = Faces(str(files.csv), np.load(files.frames / "images.npy")[:, 0] if parsed else None)
    task = work(files, contest, "fp32")
    recipe, model = task.recipe, Plain(task.model().to(memory_format=torch.contiguous_format))
    return rate(train_ordinary(model, faces, recipe.train.batch_size).__next__, meeting, WARM, SECONDS)


def theirs(files: Files, contest: Contest, parsed: bool) -> float:
    """Images a second of the ordinary way, which has both cores to itself."""
    [found] = side_by_side([partial(measure_ordinary, meet(1), files, contest, parsed)])
    return found


def ours(count: int, files: Files, contest: Contest, precision: str) -> float:
    """Images a second of `count` workers together."""
    meeting = meet(count)
    return sum(side_by_side([partial(measure_kptool, meeting, n, files, contest, precision) for n in range(count)]))


class Row(NamedTuple):
    """A network's figures: images a second, round by round.

    Attributes:
        contest: the network.
        precision: what kptool's trial chose.
        ordinary: the ordinary way.
        parsed: the ordinary way, spared the parsing.
        kptool: kptool, a process a core, together.
        single: kptool, one process.
    """

    contest: Contest
    precision: str
    ordinary: list[float]
    parsed: list[float]
    kptool: list[float]
    single: list[float]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = os.environ.get("KPTOOL_DATA_FKD")
    csv = Path(folder) / "training.csv" if folder else tmp_path_factory.mktemp("drawn") / "training.csv"
    if not folder:
        write_csv(csv, read_drawn(None, SCHEMA))
    return Files(csv, prepare(read_train(csv.parent, SCHEMA), CropOptions(), 1).folder)


def write_csv(path: Path, dataset: Dataset) -> None:
    """Lay a dataset of one-channel images out as Kaggle does."""
    words = [str(value) for value in range(256)]
    pixels = (" ".join(words[v] for v in image.ravel().tolist()) for image in dataset.pixels)
    labels = ("".join("," if np.isnan(v) else f"{v:.6f}," for v in points.ravel()) for points in dataset.points)
    lines = [label + text + "\n" for label, text in zip(labels, pixels, strict=True)]
    path.write_text(",".join([*SCHEMA.columns, "Image"]) + "\n" + "".join(lines * COPIES))


@pytest.fixture(scope="module")
def table() -> Iterator[list[Row]]:
    rows: list[Row] = []
    yield rows
    report(rows)


def report(rows: list[Row]) -> None:
    heads = ["ordinary", "no parsing", "kptool", "1 process", "ratio", "min", "max", "wanted"]
    print(f"\n\ntraining images/s: medians of {ROUNDS} interleaved rounds of {SECONDS:g} s, torch {torch.__version__}")
    print(f"{'':20s}" + "".join(f"{head:>11s}" for head in heads) + "  precision")
    for row in rows:
        ratios = [ours / theirs for ours, theirs in zip(row.kptool, row.ordinary, strict=True)]
        rates = [f"{statistics.median(v):11.0f}" for v in (row.ordinary, row.parsed, row.kptool, row.single)]
        spread = [f"{v:11.2f}" for v in (statistics.median(ratios), min(ratios), max(ratios), row.contest.wanted)]
        print(f"{row.contest.name:20s}" + "".join(rates + spread) + f"  {row.precision}")


@pytest.mark.bench
@pytest.mark.parametrize("name", list(CONTESTS))
def test_training(name: str, files: Files, table: list[Row]) -> None:
    contest = CONTESTS[name]
    with two_cores() as cores:
        [precision] = side_by_side([partial(choose_precision, files, contest)])
        row = Row(contest, precision, [], [], [], [])
        for _ in range(ROUNDS):
            row.ordinary.append(theirs(files, contest, parsed=False))
            row.kptool.append(ours(cores, files, contest, precision))
            row.parsed.append(theirs(files, contest, parsed=True))
            row.single.append(ours(1, files, contest, precision))
            print(f"\n{contest.name}: ordinary {row.ordinary[-1]:.0f}, kptool {row.kptool[-1]:.0f}, ", end="")
            print(f"no parsing {row.parsed[-1]:.0f}, 1 process {row.single[-1]:.0f}", end="")
    table.append(row)
