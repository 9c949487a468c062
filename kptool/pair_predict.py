"""Pairs answered by every finished fold of a run of verification."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch

from kptool.classical import COMPONENTS, POWER, open_features, prepare_features
from kptool.engine.of_pairs import make_pair_task, pair_frames
from kptool.engine.reopen import fold_model
from kptool.files import cache_folder
from kptool.geometry import Floats
from kptool.machine import cores
from kptool.metrics.fusion import fuse
from kptool.models.pairs import PairNet
from kptool.pair_files import read_pairs, read_scores
from kptool.pairs import Pairs
from kptool.pictures import read_again
from kptool.pixels import Tick
from kptool.runs import Run, open_members
from kptool.views import make_views
from kptool.whitening import cosines, fit_whitening


@dataclass(frozen=True)
class PairStep:
    """What `folds` models have answered.

    Attributes:
        folds: how many.
        scores: (P,) mean of their logits, higher = more alike; of an ensemble those of the run at work, until the last
            step has the weighted sum of all.
    """

    folds: int
    scores: Floats


def predict_pairs(run: Run, pairs: Pairs, tick: Tick | None = None) -> Iterator[PairStep]:
    """Score pairs with every finished fold and view of a run; the last step averages them all.

    Raises:
        DataError: a fold's weights are gone or damaged, or a picture cannot be used; a run of an ensemble has moved or
            changed.
    """
    if run.members is not None:
        yield from _predict_members(run, pairs, tick)
        return
    device = str(run.env["device"])
    if torch.device(device).type == "cuda" and not torch.cuda.is_available():
        device = "cpu"  # trained on a GPU, submitted from a laptop
    torch.set_num_threads(cores())
    frames, people = pair_frames(pairs, run.recipe, tick), len(read_pairs(run.path).people)
    task = make_pair_task(frames, None, pairs, people, run.recipe, device, str(run.env["precision"]))
    views = make_views(run.recipe.predict, task.arrays.size)
    found: list[Floats] = []
    for fold in run.finished:
        net = cast(PairNet, fold_model(run, task, fold))
        found.append(task.answer(net, np.arange(task.rows), views))
        yield PairStep(len(found), np.mean(found, axis=0))


def _predict_members(run: Run, pairs: Pairs, tick: Tick | None) -> Iterator[PairStep]:
    members, found, known, done, models = run.members, list[Floats](), list[Floats](), 0, run.models
    assert members is not None
    for member in open_members(run):
        for step in predict_pairs(member, pairs, tick):
            done += 1
            if done < models:
                yield PairStep(done, step.scores)
        found.append(step.scores)
        known.append(np.concatenate([read_scores(file).score for file in member.of_finished("oof.parquet")]))
    yield PairStep(done, fuse(np.stack(found), np.stack(known), members.weights[:, 0, 0]))


def classical_scores(run: Run, pairs: Pairs, tick: Tick | None = None) -> Floats:
    """(P,) what the classical baseline answers, fitted on the pictures of all the run's training pairs.

    Raises:
        DataError: a picture cannot be used, or the run's own pictures are gone.
    """
    saved = read_pairs(run.path)
    training = open_features(_features(run, tick)).values
    fitted = fit_whitening(training[np.unique(np.concatenate([saved.first, saved.second]))], COMPONENTS, POWER)
    values = fitted(open_features(prepare_features(pairs.images, str(run.env["protocol"]), tick)).values)
    return cosines(values[pairs.first], values[pairs.second])


def _features(run: Run, tick: Tick | None) -> Path:
    """The file of the descriptors of the run's own pictures; made again where the cache has lost it."""
    key = run.env.get("features")
    if isinstance(key, str) and re.fullmatch(r"[0-9a-f]{24}", key):  # no path leaves the cache
        file = cache_folder() / "features" / f"{key}.npy"
        if file.is_file():
            return file
    return prepare_features(read_again(run, tick), str(run.env["protocol"]), tick)
