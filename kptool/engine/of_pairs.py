"""Pairs as material for the engine: the frames of their pictures, and what a run keeps of them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from kptool.classical import MEND, open_features, prepare_features
from kptool.config import Recipe
from kptool.crop import model_size, settled
from kptool.dataset import Names
from kptool.engine.material import Material
from kptool.folds import check_leak, save
from kptool.pair_files import join_scores, read_scores, write_pairs, write_scores
from kptool.pair_intake import PairIntake
from kptool.pairs import Pairs
from kptool.pixels import Tick, open_arrays, prepare, refuse_faults
from kptool.runs import Run
from kptool.tasks.verification import Verification


def of_pairs(intake: PairIntake, recipe: Recipe, tick: Tick | None = None) -> Material:
    """The material of pairs; the frames of their pictures are laid out in the cache, or found there.

    Args:
        tick: called as pictures are decoded and cropped.

    Raises:
        DataError: a picture that cannot be used.
        LeakError: people joined by pairs stand in two folds.
    """
    pairs = intake.pairs
    check_leak(intake.folds.fold, intake.folds.group, pairs.ids, "pair")
    frames = pair_frames(pairs, recipe, tick)
    features = prepare_features(pairs.images, pairs.protocol, tick)
    facts = {
        "data_digest": pairs.digest,
        "size": model_size(pairs.images, recipe.crop),
        "crop_box": settled(pairs.images, recipe.crop).box,
        "frames": frames.name,  # in the cache: a report finds the pictures again without the data
        "features": features.stem,
        "protocol": pairs.protocol,
        "alignment": pairs.alignment,
        "naive_leak": intake.naive_leak,
    }
    return Material(
        folds=intake.folds,
        training=intake.folds.train,
        facts=facts,
        build=partial(make_pair_task, frames, features, pairs, len(pairs.people), recipe),
        write=partial(_write, intake),
        join=partial(join_pair_folds, order=pairs.ids),
    )


def pair_frames(pairs: Pairs, recipe: Recipe, tick: Tick | None = None) -> Path:
    """The folder of the pictures' frames; raises DataError for the first picture that cannot be used."""
    prepared = prepare(pairs.images, recipe.crop, recipe.model.channels, tick, recipe.image)
    refuse_faults(prepared.faults, MEND)
    return prepared.folder


def make_pair_task(
    frames: Path, features: Path | None, pairs: Pairs, people: int, recipe: Recipe, device: str, precision: str
) -> Verification:
    """Open pairs on a device; called in every worker.

    Args:
        features: of the classical baseline; None = none is scored.
        people: how many the run was trained on, which is the size of ArcFace's classes.
    """
    return Verification(
        arrays=open_arrays(frames, pairs.images.schema),
        ids=pairs.ids,
        first=pairs.first,
        second=pairs.second,
        same=pairs.same,
        person=pairs.person,
        people=people,
        recipe=recipe,
        device=device,
        precision=precision,
        features=None if features is None else open_features(features),
    )


def join_pair_folds(run: Run, order: Names) -> None:
    """Write oof.parquet: the finished folds' scores in the data's order."""
    parts = [read_scores(file) for file in run.of_finished("oof.parquet")]
    if parts:
        write_scores(run.path / "oof.parquet", join_scores(parts, order)[1])


def _write(intake: PairIntake, path: Path) -> None:
    write_pairs(path, intake.pairs)
    nothing = np.zeros(len(intake.pairs), dtype=np.int64)  # pairs have no marking scheme
    save(intake.folds, intake.pairs.ids, nothing, path / "folds.parquet")
