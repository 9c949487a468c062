"""An ensemble of runs of pairs laid down as a run."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from kptool.engine.of_pairs import join_pair_folds
from kptool.ensemble.folder import leaves_of, make_folder, tell_seconds
from kptool.ensemble.pairs_joining import JoinedPairs
from kptool.ensemble.pairs_weighing import WeighedPairs
from kptool.geometry import Floats
from kptool.metrics.fusion import scale_of
from kptool.pair_files import PAIRS, PICTURES, Scores, write_scores
from kptool.runs import Run
from kptool.verification.load import knew

SHARED: Final[tuple[str, ...]] = ("data_digest", "size", "crop_box", "features", "protocol", "naive_leak")
COPIED: Final = (PAIRS, PICTURES, "folds.parquet")


def make_pairs(
    root: Path, joined: JoinedPairs, weighed: WeighedPairs, name: str = "ensemble", seconds: float = 0.0
) -> Run:
    """Write an ensemble's folder, as `kptool.ensemble.make` does for points.

    The classical baseline is that of the first run, on whose folds the ensemble is judged.
    """
    first, env = joined.first, joined.runs[0].env
    outer = _outer(joined, weighed)
    leaves, weights = leaves_of(joined.runs, outer)
    every = [knew(run) for run in joined.runs]
    about = {key: env[key] for key in SHARED if key in env}
    about["alignment"] = _alignment(joined)
    about["knew"] = {name: any(getattr(one, name) for one in every) for name in every[0]._fields}
    run = make_folder(root, joined.runs, leaves, weights / weights.sum(0), weighed.how, name, about, COPIED)
    for fold in run.wanted:
        rows = first.fold == fold
        # Divided as the leaves' weights are, which sum to 1: what it answers to other pairs has this scale.
        own = Scores(first.ids[rows], weighed.scores[rows] / outer.sum(), first.classical[rows])
        write_scores(run.fold(fold) / "oof.parquet", own)
    join_pair_folds(run, first.ids)
    tell_seconds(run, seconds)
    return run


def _alignment(joined: JoinedPairs) -> str:
    """What the runs say of the pictures, which are the same: LFW-a where any does, as names of folders tell less."""
    said = [one.alignment for one in joined.outcomes]
    return next((one for one in said if one.startswith("LFW-a")), said[0])


def _outer(joined: JoinedPairs, weighed: WeighedPairs) -> Floats:
    """(M, 1, 1) the runs' weights; those of an ensemble in the scale of the sum that its own runs make.

    An ensemble's scores are already a sum of scaled ones, and its runs are listed in its place.
    """
    spreads = [
        scale_of(own).spread if run.members else 1.0 for run, own in zip(joined.runs, joined.scores, strict=True)
    ]
    return np.asarray(weighed.weights / np.where(np.isfinite(spreads), spreads, 1.0))[:, None, None]
