"""A finished run as the task it was trained on, so that its folds' models can answer again."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from kptool.engine.state import final_model
from kptool.errors import DataError
from kptool.pixels import Arrays
from kptool.predictions import read_points
from kptool.runs import Run
from kptool.schema import Schema
from kptool.schemes import Schemes, of_saved
from kptool.tasks.contract import Task
from kptool.tasks.keypoints import Keypoints


def reopen(run: Run, arrays: Arrays) -> Keypoints:
    """The task of a trained run, no ensemble, over its own images (see `pictures.open_frames`), labels as read."""
    schema: Schema = arrays.schema
    schemes: Schemes = of_saved(run.env["schemes"], schema)
    _, truth = read_points(run.path / "truth.parquet", schema)
    scheme = schemes.assign(np.asarray(np.isfinite(truth).all(-1)))
    device = str(run.env["device"])
    if torch.device(device).type == "cuda" and not torch.cuda.is_available():
        device = "cpu"  # trained on a GPU, looked at on a laptop
    return Keypoints(arrays, scheme, len(schemes), run.recipe, device, str(run.env["precision"]))


def fold_model(run: Run, task: Task, fold: int) -> nn.Module:
    """The model of a finished fold, in evaluation mode.

    Raises:
        DataError: its weights are gone or damaged.
    """
    model = final_model(task, run.fold(fold), run.recipe)
    if model is None:
        raise DataError(
            f"{run.fold(fold)}: no whole checkpoint", f"delete the folder and kptool cv --resume {run.path}"
        )
    return model
