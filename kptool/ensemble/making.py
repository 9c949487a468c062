"""An ensemble of runs of points laid down as a run."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from kptool.dataset import Predictions
from kptool.engine.of_points import join_folds
from kptool.ensemble.folder import first_known, leaves_of, make_folder, tell_seconds
from kptool.ensemble.joining import Joined
from kptool.ensemble.weighing import Weighed
from kptool.predictions import write_predictions
from kptool.runs import Run

SHARED: Final[tuple[str, ...]] = ("data_digest", "size", "crop_box", "schemes")
COPIED: Final = ("truth.parquet", "faces.parquet", "folds.parquet")  # a run of an older version has no faces


def make(root: Path, joined: Joined, weighed: Weighed, name: str = "ensemble", seconds: float = 0.0) -> Run:
    """Write an ensemble's folder; what the runs have in common is the first one's.

    Args:
        root: the folder of all runs.
        name: of the folder and of the recipe that stands for the ensemble's.
        seconds: that joining and weighing took; the runs' own are added.

    Raises:
        UsageError: a name that cannot be a folder's.
        DataError: a run of an ensemble among them has moved or changed.
    """
    leaves, weights = leaves_of(joined.runs, weighed.weights)
    first, env = joined.first, joined.runs[0].env
    own = {key: env[key] for key in SHARED if key in env}
    mix = {"test_mix": first_known(one.env["test_mix"] for one in joined.runs)}
    run = make_folder(root, joined.runs, leaves, weights, weighed.how, name, own | mix, COPIED)
    for fold in run.wanted:
        rows = first.fold == fold
        part = Predictions(first.ids[rows], weighed.points[rows], weighed.spread[rows], first.schema)
        write_predictions(run.fold(fold) / "oof.parquet", part)
    join_folds(run, first.schema, first.ids)
    tell_seconds(run, seconds)
    return run
