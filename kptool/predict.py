"""A run's folds as one model: every fold, every view, back in the original image's pixels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, cast

import numpy as np
import torch

from kptool.dataset import Dataset, Ints, Predictions
from kptool.device import cores
from kptool.engine.state import final_model
from kptool.errors import DataError
from kptool.geometry import identity
from kptool.models.net import Net
from kptool.pixels import Arrays
from kptool.runs import Run
from kptool.tasks.keypoints import Keypoints
from kptool.views import make_views, pool


class Step(NamedTuple):
    """The average over the folds so far."""

    folds: int
    predictions: Predictions


def predict_folds(run: Run, test: Dataset, scheme: Ints, schemes: int) -> Iterator[Step]:
    """Predict images with every finished fold and view of a run; the last step averages them all.

    Args:
        run: at least one fold of it finished.
        test: N images of the size the run was trained on.
        scheme: (N,) marking scheme to answer each image in.
        schemes: how many the run knows.

    Raises:
        DataError: a fold's weights are gone or damaged.
    """
    device = str(run.env["device"])
    if torch.device(device).type == "cuda" and not torch.cuda.is_available():
        device = "cpu"  # trained on a GPU, submitted from a laptop
    torch.set_num_threads(cores())
    arrays = Arrays(test.ids, test.images, test.points, identity(len(test)), test.schema)
    task = Keypoints(arrays, scheme, schemes, run.recipe, device, str(run.env["precision"]))
    views = make_views(run.recipe.predict, test.size)
    points, spread = [], []
    for fold in run.finished:
        found = task.answer(_model(run, task, fold), np.arange(len(test)), views)
        points.append(found[0])
        spread.append(found[1])
        yield Step(len(points), Predictions(test.ids, *pool(np.stack(points), np.stack(spread)), test.schema))


def check_size(run: Run, test: Dataset) -> None:
    """Raise DataError where test images are not of the size the run was trained on."""
    size = tuple(int(v) for v in run.env["size"])
    if size != test.size:
        raise DataError(
            f"test images are {test.size[0]}x{test.size[1]}, {run.path.name} was trained on {size[0]}x{size[1]}",
            "submit a run of this competition's data",
        )


def _model(run: Run, task: Keypoints, fold: int) -> Net:
    model = final_model(task, run.fold(fold), run.recipe)
    if model is None:
        raise DataError(
            f"{run.fold(fold)}: no whole checkpoint", f"delete the folder and kptool cv --resume {run.path}"
        )
    return cast(Net, model)
