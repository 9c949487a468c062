"""The pictures behind a finished run, as its model saw them: for reports, audits and whatever answers them again."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from kptool.dataset import Dataset, Ints, Names
from kptool.errors import DataError, KptoolError
from kptool.files import cache_folder
from kptool.geometry import Affine, Bytes, Floats
from kptool.pair_files import read_pairs
from kptool.pixels import Arrays, Tick, open_arrays, prepare, refuse_faults
from kptool.predictions import read_points
from kptool.runs import Run, open_members
from kptool.schema import Schema


def open_frames(run: Run, tick: Tick | None = None) -> Arrays:
    """The frames of a run's N training images, row by row as in its truth.parquet; of an ensemble, its first run's.

    Of a run of verification they are the pictures of its pairs, row by row as in its pictures.parquet.

    They are taken from the cache where they still stand there, else made again from the run's data.

    Args:
        tick: called as photos are decoded and cropped.

    Raises:
        KptoolError: the data is gone or has changed since, or an ensemble's run has.
    """
    own = open_members(run)[0]
    schema = own.found.competition.schema_of_points
    arrays = _open(_kept(own) or _again(own, tick), schema)
    if not np.array_equal(arrays.ids, _ids(run)):
        raise DataError(f"{run.path}: its pictures are not those of its own tables", "train again")
    return arrays


def cached_frames(run: Run) -> Arrays | None:
    """`open_frames` where the frames still stand in the cache, in no time; None where that would read the data."""
    try:
        return open_frames(run) if _kept(open_members(run)[0]) else None
    except KptoolError:  # a run of the ensemble has moved: pictures are an extra, and the report needs none of it
        return None


def model_images(arrays: Arrays, rows: Ints) -> Bytes:
    """(n, C, H, W) what the model is shown of `rows`: their frames without the slack around them."""
    left, top = (round(-float(v)) for v in arrays.to_model.matrix[:2, 2])
    width, height = arrays.size
    return np.ascontiguousarray(arrays.images[rows, :, top : top + height, left : left + width])


def to_shown(arrays: Arrays, rows: Ints) -> Affine:
    """n maps from the original images' px to those of `model_images`."""
    return arrays.to_frame[rows].then(arrays.to_model)


def contrasts(arrays: Arrays, batch: int = 512) -> Floats:
    """(N,) standard deviation of the grey levels that the model is shown of each image, 0 to 127.5."""
    out = np.empty(len(arrays.ids))
    for start in range(0, len(out), batch):
        rows = np.arange(start, min(start + batch, len(out)))
        grey = model_images(arrays, rows).mean(axis=1, dtype=np.float32)
        out[rows] = grey.std(axis=(1, 2))
    return out


def _ids(run: Run) -> Names:
    if run.found.competition.task == "verification":
        return read_pairs(run.path).images
    return read_points(run.path / "truth.parquet", run.found.competition.schema_of_points)[0]


def _open(folder: Path, schema: Schema) -> Arrays:
    try:
        return open_arrays(folder, schema)
    except (OSError, ValueError, KeyError) as error:
        why = " ".join(str(error).split())
        raise DataError(f"{folder}: damaged frames ({why})", "delete the folder, and they are made again") from None


def _kept(run: Run) -> Path | None:
    """The folder of a run's frames in the cache; None where it is gone, or the run is of an older version."""
    key = run.env.get("frames")
    if not isinstance(key, str) or not re.fullmatch(r"[0-9a-f]{24}", key):  # no path leaves the cache
        return None
    folder = cache_folder() / "frames" / key
    return folder if (folder / "done.json").is_file() else None


def _again(run: Run, tick: Tick | None) -> Path:
    recipe = run.recipe
    prepared = prepare(read_again(run, tick), recipe.crop, recipe.model.channels, tick, recipe.image)
    refuse_faults(prepared.faults)
    return prepared.folder


def read_again(run: Run, tick: Tick | None = None) -> Dataset:
    """The pictures that a run was trained on, from its data.

    Raises:
        KptoolError: the data is gone or has changed since.
    """
    dataset, digest = _read(run, tick)
    if digest != run.env["data_digest"]:
        data = run.env["data"]
        raise DataError(f"{data}: the data has changed since {run.path} was trained", "restore it, or train again")
    return dataset


def _read(run: Run, tick: Tick | None) -> tuple[Dataset, str]:
    """The run's pictures read again, and the digest of what it was trained on."""
    # Here, because they load the splitters and more, which frames in the cache do not need.
    from kptool.formats.pairs import read_train
    from kptool.intake import read_rows

    data = Path(run.env["data"]) if run.env["data"] else None
    if run.found.competition.task == "verification":
        pairs, _ = read_train(run.found.competition, data, run.recipe.data, run.recipe.seed, run.recipe.folds.count)
        return pairs.images, pairs.digest
    dataset = read_rows(run.found, run.recipe, data, tick).dataset
    return dataset, dataset.digest
