"""From files to everything a cross-validation needs to know of them, with every check made before any training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from kptool.competitions import Found
from kptool.config import CropOptions, ImageOptions, Recipe
from kptool.contrast import AS_IT_IS
from kptool.crop import box_faults, boxed_or_whole, uses_boxes
from kptool.dataset import Dataset, Ints, Lookup, Mask, Names, Photos
from kptool.edits import apply_edits
from kptool.errors import DataError, MissingFileError, UsageError
from kptool.folds import Folds, load, make
from kptool.formats import get
from kptool.formats.outside import apply_outside
from kptool.geometry import Bytes, Floats
from kptool.metrics import normaliser
from kptool.pixels import Fault, Tick, open_arrays, prepare, refuse_faults
from kptool.schema import Schema, check_mirror
from kptool.schemes import Schemes, discover, given, marked_by, of_masks
from kptool.soft_labels import notes_on_soft, refuse_other_soft

THUMBNAIL: Final = CropOptions(width=96, margin=0.1, slack=0.0)
"""In what duplicates of photos are looked for; the same for every recipe, so that folds do not depend on one."""


@dataclass(frozen=True)
class Intake:
    """A competition's training data, checked and split.

    Attributes:
        dataset: the N rows the recipe uses.
        scheme: (N,) marking scheme of each row.
        schemes: the marking schemes.
        folds: who is held out when.
        test_mix: share of the requested values per scheme; None where a test file is not there.
        notes: what a user should know, a line each.
        labels: (N, K, 2) what is trained on instead of the dataset's points, in the images' own px; None = no edits.
    """

    dataset: Dataset
    scheme: Ints
    schemes: Schemes
    folds: Folds
    test_mix: list[float] | None
    notes: list[str]
    labels: Floats | None = None

    def training(self, fold: int) -> Ints:
        """(n,) rows that a fold trains on: not held out, and not without a label by the edits."""
        rows = self.folds.train(fold)
        if self.labels is None:
            return rows
        left: Mask = np.asarray(np.isfinite(self.labels[rows]).all(-1))
        return rows[left.any(1)]


@dataclass(frozen=True)
class TestSet:
    """What a submission answers.

    Attributes:
        dataset: the N images, with those that cannot be used.
        lookup: the values asked for.
        sample: row ids of the sample submission, or None.
        bad: rows whose picture is missing, cannot be decoded or has no usable box, each with the reason in one line.
    """

    dataset: Dataset
    lookup: Lookup
    sample: Ints | None
    bad: list[Fault]


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


def take_in(
    found: Found, recipe: Recipe, data: Path | None, saved: Path | None = None, tick: Tick | None = None
) -> Intake:
    """Read, check and split a competition's training data.

    Args:
        saved: the folds.parquet of a run that goes on: its folds are taken, and refused for other data.
        tick: called as photos are decoded.

    Raises:
        DataError: anything in the files that cannot be trusted, soft labels of other data or folds among it.
        UsageError: no data where the competition needs some, or mirroring without known pairs.
    """
    _refuse_settings_of_pairs(recipe)
    schema = found.competition.schema_of_points
    dataset, thumbnails, schemes, known, notes = read_rows(found, recipe, data, tick)
    if recipe.augment.mirror or recipe.predict.mirror:
        _refuse_unknown_pairs(schema)
        check_mirror(schema, dataset.points)
    if found.competition.metric == "nme":  # a face without a length is told now, not after the training
        normaliser(found.competition.normaliser, dataset.points, schema, dataset.boxes, dataset.ids.tolist())
    scheme = schemes.assign(dataset.labelled)
    if saved:
        folds = load(saved, dataset.digest, dataset.ids)
    else:
        folds = make(dataset, thumbnails, scheme, recipe.folds, recipe.seed)
    # Last, so that nothing above depends on edits: schemes, folds and scores are those of the labels as read.
    edited = apply_edits(recipe.data.edits, dataset, known)
    mix, unknown = _test_mix(found, data, schemes, uses_boxes(dataset, recipe.crop))
    told = [*notes, *edited.notes, *_check_soft(recipe, dataset, schemes, folds), *unknown]
    intake = Intake(dataset, scheme, schemes, folds, mix, told, edited.points if recipe.data.edits else None)
    _refuse_unlabelled(intake, recipe.model.per_scheme)
    return intake


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


def read_test(found: Found, data: Path | None) -> TestSet:
    """Read what a submission must answer, without opening a picture further than its header.

    Raises:
        DataError: a file is missing or cannot be trusted.
    """
    schema = found.competition.schema_of_points
    reader = get(found.competition)
    dataset = reader.read_test(data, schema)
    return TestSet(dataset, reader.read_lookup(data, dataset), reader.read_sample(data), [])


def find_bad(
    test: TestSet, crop: CropOptions, channels: int, tick: Tick | None = None, image: ImageOptions = AS_IT_IS
) -> TestSet:
    """A test set whose pictures have all been opened and cropped as a run does; `bad` lists those that cannot be."""
    if not isinstance(test.dataset.images, Photos):
        return test
    return replace(test, bad=prepare(test.dataset, crop, channels, tick, image).faults)


def _refuse_settings_of_pairs(recipe: Recipe) -> None:
    """Raise UsageError for settings that a run of keypoints would silently ignore, or that leave it untrained."""
    plain = Recipe()
    for section, keys in (
        ("data", ("pairs_from", "pairs_per_person")),
        ("train", ("pairs", "views", "label_clip", "temperature")),
    ):
        for key in keys:
            if getattr(getattr(recipe, section), key) != getattr(getattr(plain, section), key):
                raise UsageError(
                    f"{section}.{key} is of verification, this competition asks for points", "leave it out"
                )
    if not recipe.train.epochs:
        raise UsageError("train.epochs = 0 leaves a network of keypoints as lot made it", "train an epoch or more")


def _refuse_unknown_pairs(schema: Schema) -> None:
    if not schema.mirror:
        raise UsageError(
            f"{schema.name}: no mirror pairs are known, so nothing can be flipped",
            "give pairs in competition.toml, or --set augment.mirror=0 --set predict.mirror=false",
        )


def _refuse_unlabelled(intake: Intake, per_scheme: bool) -> None:
    """Raise UsageError where edits take a fold's last label of a point: what it answers there would be noise."""
    if intake.labels is None:
        return
    left: Mask = np.asarray(np.isfinite(intake.labels).all(-1))
    masks, names = intake.schemes.masks, intake.schemes.names
    for fold in range(intake.folds.count):
        rows = intake.folds.train(fold)
        parts = [(rows, np.ones_like(masks[0]), "")]
        if per_scheme:  # each has outputs of its own
            scheme = intake.scheme[rows]
            parts += [(rows[scheme == s], masks[s], f" in images of {name}") for s, name in enumerate(names)]
        for own, mask, where in parts:
            lost = intake.dataset.labelled[own].any(0) & ~left[own].any(0) & mask
            if lost.any():
                point = intake.dataset.schema.points[int(lost.argmax())]
                raise UsageError(
                    f"data.edits leave fold {fold} no label of {point}{where} to train on",
                    "keep some, or leave the point out",
                )


def _check_soft(recipe: Recipe, dataset: Dataset, schemes: Schemes, folds: Folds) -> list[str]:
    """Notes on the recipe's soft labels; raises KptoolError where they are not of these data and folds."""
    if not recipe.data.soft:
        return []
    file = Path(recipe.data.soft)
    about = refuse_other_soft(file, dataset, schemes, folds.fold)
    return notes_on_soft(file, about, recipe.data.soft_radius, dataset, folds.count)


def _choose_rows(dataset: Dataset, recipe: Recipe) -> tuple[Ints, list[str]]:
    labelled = dataset.labelled
    keep: Mask = np.asarray(labelled.all(1) if recipe.data.rows == "complete" else labelled.any(1))
    if not keep.any():
        raise DataError(f"no row is left under data.rows = '{recipe.data.rows}'", "use --set data.rows=all")
    if keep.all():
        return np.arange(len(dataset)), []
    why = "not all points labelled" if recipe.data.rows == "complete" else "nothing labelled"
    return np.flatnonzero(keep), [f"{int((~keep).sum())} of {len(keep)} rows left out: {why}"]


def _test_mix(found: Found, data: Path | None, schemes: Schemes, boxed: bool) -> tuple[list[float] | None, list[str]]:
    if not found.competition.has_test:
        return None, []
    # A folder with training.csv alone must train; a damaged test file is told now and not after an hour of training.
    try:
        test = read_test(found, data)
    except MissingFileError as error:
        return None, [f"the test set's mix of marking schemes is not known ({error.message})"]
    notes = []
    if boxed and test.dataset.boxes is None and isinstance(test.dataset.images, Photos):
        notes = ["the test images have no boxes, and faces are cut out by their boxes: they cannot be answered so"]
    return schemes.share(test.lookup.asked(len(test.dataset), len(test.dataset.schema.points))), notes
