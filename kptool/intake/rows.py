"""The rows that a recipe uses: read, opened, and marked in schemes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from kptool.competitions import Found
from kptool.config import CropOptions, Recipe
from kptool.crop import box_faults, boxed_or_whole
from kptool.dataset import Dataset, Ints, Mask, Names, Photos
from kptool.errors import DataError, UsageError
from kptool.formats import get
from kptool.formats.outside import apply_outside
from kptool.geometry import Bytes
from kptool.pixels import Fault, Tick, open_arrays, prepare, refuse_faults
from kptool.schema import Schema
from kptool.schemes import Schemes, discover, given, marked_by, of_masks

THUMBNAIL: Final = CropOptions(width=96, margin=0.1, slack=0.0)
"""In what duplicates of photos are looked for; the same for every recipe, so that folds do not depend on one."""


class Rows(NamedTuple):
    """The rows that a recipe uses.

    Attributes:
        dataset: N rows.
        thumbnails: (N, C, h, w) uint8 in which duplicates are looked for.
        schemes: the marking schemes of the whole data.
        known: ids of all images of the data, used or not.
        notes: what a user should know, a line each.
    """

    dataset: Dataset
    thumbnails: Bytes
    schemes: Schemes
    known: Names
    notes: list[str]


class Sound(NamedTuple):
    """The rows of a dataset whose pictures can be used, those faces' thumbnails, and the faults of the rest."""

    dataset: Dataset
    thumbnails: Bytes
    faults: list[Fault]


def read_rows(found: Found, recipe: Recipe, data: Path | None, tick: Tick | None = None) -> Rows:
    """Read a competition's training data and choose the rows that a recipe uses.

    Raises:
        DataError: anything in the files that cannot be trusted.
        UsageError: no data where the competition needs some.
    """
    schema = found.competition.schema_of_points
    whole = get(found.competition).read_train(data, schema)
    dataset, thumbnails, faults = sound(whole, recipe.crop, tick)
    if recipe.data.on_bad == "fail":
        refuse_faults(faults)
    dataset, notes = apply_outside(dataset, recipe.data.outside)
    # Before rows are dropped, so that a scheme has one name in every recipe.
    schemes, scattered = whole_schemes(dataset.labelled, schema, found.competition.schemes)
    rows, dropped = _choose_rows(dataset, recipe)
    if len(rows) < len(dataset):
        dataset, thumbnails = dataset.take(rows), thumbnails[rows]
    skipped = [f"left out: {why}" for _, why in faults]
    return Rows(dataset, thumbnails, schemes, whole.ids, [*skipped, *notes, *scattered, *dropped])


def whole_schemes(labelled: Mask, schema: Schema, named: Sequence[Sequence[str]] = ()) -> tuple[Schemes, list[str]]:
    """The marking schemes behind labels (N, K), and what to tell of them.

    Those of competition.toml (`named`), else those that are found. A new image is asked for every point, and an output
    that was never trained must not answer. So a scheme is needed that marks every point that is ever labelled, and
    whose own rows have labels for each. Where none of those found does, there is one scheme of all those points.

    Raises:
        UsageError: none of those named does, or they make no sense.
    """
    schemes = given(schema, named) if named else discover(labelled, mirror=schema.mirror)
    ever, scheme = np.asarray(labelled.any(0)), schemes.assign(labelled)
    trained = marked_by(labelled, scheme, len(schemes))
    if (schemes.masks & trained | ~ever).all(1).any():
        idle = [schemes.names[s] for s in np.flatnonzero(~trained.any(1)) if named]
        return schemes, [f"no row is marked with {name}, a scheme of competition.toml" for name in idle]
    if named:
        raise UsageError(
            f"{schema.name}: schemes of competition.toml: none has rows that mark all {int(ever.sum())} labelled points"
            " between them, so none could answer an image whole",
            "give one scheme of all points, or leave schemes out",
        )
    union = of_masks(ever[None])
    return union, [f"no common pattern of labels holds all {int(ever.sum())} points, so one scheme answers every image"]


def sound(dataset: Dataset, crop: CropOptions, tick: Tick | None = None) -> Sound:
    """Open every picture once, and part the rows that a recipe can use from the others."""
    if not isinstance(dataset.images, Photos):
        return Sound(dataset, dataset.images, [])
    folder, undecoded = prepare(boxed_or_whole(dataset), THUMBNAIL, 1, tick)
    thumbnails = open_arrays(folder, dataset.schema).images
    faults = sorted((dict(box_faults(dataset, crop)) | dict(undecoded)).items())
    if not faults:
        return Sound(dataset, thumbnails, [])
    rows = np.setdiff1d(np.arange(len(dataset)), [row for row, _ in faults])
    if not len(rows):
        raise DataError(f"none of {len(faults)} pictures can be used: {faults[0][1]}", "check --data")
    return Sound(dataset.take(rows), np.asarray(thumbnails[rows]), faults)


def _choose_rows(dataset: Dataset, recipe: Recipe) -> tuple[Ints, list[str]]:
    labelled = dataset.labelled
    keep: Mask = np.asarray(labelled.all(1) if recipe.data.rows == "complete" else labelled.any(1))
    if not keep.any():
        raise DataError(f"no row is left under data.rows = '{recipe.data.rows}'", "use --set data.rows=all")
    if keep.all():
        return np.arange(len(dataset)), []
    why = "not all points labelled" if recipe.data.rows == "complete" else "nothing labelled"
    return np.flatnonzero(keep), [f"{int((~keep).sum())} of {len(keep)} rows left out: {why}"]
