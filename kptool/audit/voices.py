"""Several models' answers to every image: how sure they are together, and whether they have learned its label.

All but one of a run's folds were trained on any image's label. Where even they contradict it, and agree with each
other, the label is suspicious; where they scatter, the face is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kptool.dataset import rows_of
from kptool.engine.reopen import fold_model, reopen
from kptool.errors import DataError, KptoolError
from kptool.geometry import Floats, identity
from kptool.models.net import Net
from kptool.pixels import Arrays, Tick
from kptool.predictions import join, read_predictions
from kptool.report.outcome import Outcome
from kptool.runs import Run, open_members

BATCH = 512


class Voices(NamedTuple):
    """Answers of M models, M at least 2.

    Attributes:
        points: (M, n, K, 2) in the original images' px.
        who: what the models are, in the plural.
    """

    points: Floats
    who: str


def listen(run: Run, outcome: Outcome, arrays: Arrays | None, tick: Tick | None = None) -> Voices | str:
    """Every fold's model on every image, plain view; of an ensemble, its runs' own out-of-fold answers.

    Args:
        outcome: of the images that were predicted.
        arrays: see `pictures.open_frames`; None = the pictures are gone.

    Returns:
        In place of voices, why there are none.
    """
    try:
        if run.members is not None:
            return _of_members(run, outcome)
        if len(run.finished) < 2:
            return "a single fold is finished"
        return _of_folds(run, outcome, arrays, tick) if arrays is not None else "the pictures are not to be had"
    except (KptoolError, OSError) as error:
        return error.message if isinstance(error, KptoolError) else f"{error.filename}: {error.strerror}"


def _of_folds(run: Run, outcome: Outcome, arrays: Arrays, tick: Tick | None) -> Voices:
    rows = rows_of(arrays.ids, outcome.ids)
    task = reopen(run, arrays)
    parts = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    out, done = [], 0
    for fold in run.finished:
        model = fold_model(run, task, fold)
        assert isinstance(model, Net), "points are found by a Net"
        answers = []
        for part in parts:
            answers.append(task.answer(model, part, [identity()])[0])
            done += 1
            if tick:
                tick(done, len(parts) * len(run.finished))
        out.append(np.concatenate(answers))
    return Voices(np.stack(out), "folds' models")


def _of_members(run: Run, outcome: Outcome) -> Voices | str:
    members = open_members(run)
    if len(members) < 2:
        return "the ensemble has a single run"
    out = []
    for member in members:
        found = read_predictions(member.path / "oof.parquet", outcome.schema)
        if set(outcome.ids.tolist()) - set(found.ids.tolist()):
            raise DataError(f"{member.path}: lacks images of {run.path}", "make the ensemble again")
        found = join([found], found.ids)[1]
        out.append(found.points[rows_of(found.ids, outcome.ids)])
    return Voices(np.stack(out), "runs")
