"""A run's folds as one model: every fold, every view, back in the original image's pixels.

An ensemble's runs answer one after the other, each with its own crop, views and frame; they meet in original pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, cast

import numpy as np
import torch

from kptool.config import CropOptions
from kptool.dataset import Dataset, Ints, Photos, Predictions
from kptool.engine.reopen import fold_model
from kptool.errors import DataError
from kptool.machine import cores
from kptool.members import mix
from kptool.models.net import Net
from kptool.pixels import Tick, arrays_of
from kptool.runs import Run, open_members
from kptool.tasks.keypoints import Keypoints
from kptool.views import make_views, pool


class Step(NamedTuple):
    """The average over the folds so far; of an ensemble, over those of the run at work, until the last step has all."""

    folds: int
    predictions: Predictions


def crop_of(run: Run, test: Dataset) -> CropOptions:
    """How a run's images were cropped, with "auto" settled by its training images.

    Photos shown to a run of plain images are cropped to those images' size.
    """
    crop = run.recipe.crop.model_copy(update={"box": run.env.get("crop_box", run.recipe.crop.box)})
    if crop.width or not isinstance(test.images, Photos):
        return crop
    width, height = (int(v) for v in run.env["size"])
    return crop.model_copy(update={"width": width, "height": height, "slack": 0.0})


def predict_folds(
    run: Run, test: Dataset, scheme: Ints, schemes: int, tick: Tick | None = None, crop: CropOptions | None = None
) -> Iterator[Step]:
    """Predict images with every finished fold and view of a run; the last step averages them all.

    Args:
        run: at least one fold of it finished.
        test: N images; arrays must be of the size the run was trained on, photos may have any.
        scheme: (N,) marking scheme to answer each image in.
        schemes: how many the run knows.
        tick: called as photos are decoded and cropped.
        crop: how to cut faces out; None = as the run's own. Of an ensemble each run keeps its own crop, but for what
            this one says of boxes.

    Raises:
        DataError: a fold's weights are gone or damaged, an image cannot be used, or has another size; a run of an
            ensemble has moved or changed.
    """
    if run.members is not None:
        yield from _predict_members(run, test, scheme, schemes, tick, crop)
        return
    device = str(run.env["device"])
    if torch.device(device).type == "cuda" and not torch.cuda.is_available():
        device = "cpu"  # trained on a GPU, submitted from a laptop
    torch.set_num_threads(cores())
    arrays = arrays_of(test, crop or crop_of(run, test), run.recipe.model.channels, tick, run.recipe.image)
    refuse_size(run, arrays.size)
    task = Keypoints(arrays, scheme, schemes, run.recipe, device, str(run.env["precision"]))
    views = make_views(run.recipe.predict, arrays.size)
    points, spread = [], []
    for fold in run.finished:
        found = task.answer(cast(Net, fold_model(run, task, fold)), np.arange(len(test)), views)
        points.append(found[0])
        spread.append(found[1])
        yield Step(len(points), Predictions(test.ids, *pool(np.stack(points), np.stack(spread)), test.schema))


def _predict_members(
    run: Run, test: Dataset, scheme: Ints, schemes: int, tick: Tick | None, crop: CropOptions | None
) -> Iterator[Step]:
    members, found, done, models = run.members, list[Predictions](), 0, run.models
    assert members is not None
    for member in open_members(run):
        for step in predict_folds(member, test, scheme, schemes, tick, crop and crop_like(crop, member, test)):
            done += 1
            if done < models:
                yield Step(done, step.predictions)
        found.append(step.predictions)
    points, spread = (np.stack([getattr(p, name) for p in found]) for name in ("points", "spread"))
    yield Step(done, Predictions(test.ids, *mix(points, spread, members.of(scheme)), test.schema))


def crop_like(crop: CropOptions, run: Run, test: Dataset) -> CropOptions:
    """A run's own crop, of the boxes or of the whole pictures as `crop` has it."""
    own = crop_of(run, test)
    if own.box == crop.box:
        return own
    # A run of whole pictures takes a box for one, without a margin.
    return own.model_copy(update={"box": crop.box} | ({"margin": 0.0} if crop.box == "file" else {}))


def refuse_size(run: Run, size: tuple[int, int]) -> None:
    """Raise DataError where images are not of the size (W, H) the run was trained on."""
    own = tuple(int(v) for v in run.env["size"])
    if own != size:
        raise DataError(
            f"images are {size[0]}x{size[1]}, {run.path.name} was trained on {own[0]}x{own[1]}",
            "give it images of its own competition",
        )
