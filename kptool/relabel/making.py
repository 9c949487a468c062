"""From a finished run to the soft labels of each fold.

The set of fold g comes from the model of fold g alone, and from labels outside fold g: which scheme is to fill a point
is counted among them. Its radii are conformal (see `kptool.calibration`): q times the answer's own spread, q from the
errors of the other folds' models on the images that those held out. So no label of fold g is compared with anything
that enters set g; but the other folds' models were trained on labels of fold g, and q, one number a scheme and point,
may know that much. Training looks at radii only where the recipe sets data.soft_radius.

Conformal radii hold what they promise where the answers judged are exchangeable with those they were made from. Here
they are not quite: a soft label stands on an image of another marking scheme, and on one that its teacher was trained
on, by other points. `Check` measures the first with labels of points that both schemes mark, and the second by the
same on images in and out of the teacher's training.
"""

from __future__ import annotations

import numpy as np

from kptool.calibration import LEVEL
from kptool.dataset import Names
from kptool.engine.reopen import reopen
from kptool.errors import DataError, UsageError
from kptool.folds import Folds
from kptool.folds import load as load_folds
from kptool.pictures import open_frames
from kptool.pixels import Tick
from kptool.predictions import read_points
from kptool.relabel.figures import by_point, checks
from kptool.relabel.filling import Labels, make_set, teachers
from kptool.relabel.teachers import ask
from kptool.relabel.values import Relabelled
from kptool.runs import Run
from kptool.schema import Schema
from kptool.schemes import Schemes, of_saved
from kptool.soft_labels import About, digest_of_folds, schemes_of


def relabel(run: Run, tick: Tick, level: float = LEVEL) -> Relabelled:
    """Answer the points of a run's training images that have no label; nothing is written.

    Args:
        tick: called as photos are read, and then as images are answered.
        level: share of the truth that a radius is to hold.

    Raises:
        UsageError: an ensemble, or a level that is no share.
        DataError: no fold is finished, or something of the run or its pictures is damaged or gone.
    """
    _refuse(run, level)
    schema: Schema = run.found.competition.schema_of_points
    schemes = of_saved(run.env["schemes"], schema)
    ids, labels, folds = _read(run, schema, schemes)
    about = About(
        data_digest=folds.digest,
        fold_digest=digest_of_folds(ids, folds.fold),
        schemes=schemes_of(schemes, schema),
        folds=run.finished,
        teacher=run.path.name,
        teacher_digest=run.recipe.digest,
        level=level,
    )
    if not labels.missing.any():
        return Relabelled(ids, schema, about, {}, (), (), ())
    task = reopen(run, open_frames(run, tick))
    # Of its own fold a model is asked everything, to be judged by it.
    wanted = {g: (folds.fold == g) | labels.missing.any(1) for g in run.finished}
    taught = teachers(labels, ask(run, task, wanted, tick), level)
    sets = {g: make_set(labels, one, g) for g, one in taught.items()}
    points = by_point(labels, taught, sets, schema.points, schemes.names)
    return Relabelled(ids, schema, about, sets, points, checks(labels, taught, schemes.names), _notes(run, folds.count))


def _refuse(run: Run, level: float) -> None:
    if (members := run.members) is not None:
        raise UsageError(
            f"{run.path} is an ensemble, which has no model of its own for each fold",
            f"relabel one of its runs, as {members.each[0].name}",
        )
    if not 0 < level < 1:
        raise UsageError(f"--level {level:g}", "give a share between 0 and 1, as in --level 0.9")
    if not run.finished:
        raise DataError(f"{run.path}: no fold is finished", f"kptool cv --resume {run.path}")


def _read(run: Run, schema: Schema, schemes: Schemes) -> tuple[Names, Labels, Folds]:
    ids, truth = read_points(run.path / "truth.parquet", schema)
    folds = load_folds(run.path / "folds.parquet", run.env["data_digest"], ids)
    edited = run.path / "labels.parquet"
    left = read_points(edited, schema)[1] if edited.is_file() else truth
    given, taught = (np.asarray(np.isfinite(points).all(-1)) for points in (truth, left))
    return ids, Labels(truth, taught, folds.fold, schemes.assign(given), schemes.masks), folds


def _notes(run: Run, count: int) -> tuple[str, ...]:
    notes, train = list[str](), run.recipe.train
    if train.keep == "best" or train.patience:
        why = 'train.keep = "best"' if train.keep == "best" else "train.patience"
        notes.append(
            f"{why}: each fold's teacher was chosen by the labels that it holds out, so the scores of students are "
            "slightly optimistic; relabel a run without it for a fair gain"
        )
    if left := sorted(set(range(count)) - set(run.finished)):
        several = len(left) > 1
        some = f"fold{'s' * several} {', '.join(map(str, left))}"
        verb = "are" if several else "is"
        notes.append(f"{some} of {run.path.name} {verb} not finished: students of the same get none")
    return tuple(notes)
