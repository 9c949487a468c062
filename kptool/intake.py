"""From files to everything a cross-validation needs to know of them, with every check made before any training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kptool.competitions import Found
from kptool.config import Recipe
from kptool.dataset import Dataset, Ints, Lookup, Mask
from kptool.errors import DataError, MissingFileError, UsageError
from kptool.folds import Folds, load, make
from kptool.formats import get
from kptool.formats.outside import apply_outside
from kptool.schema import Schema, check_mirror
from kptool.schemes import Schemes, discover


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
    """

    dataset: Dataset
    scheme: Ints
    schemes: Schemes
    folds: Folds
    test_mix: list[float] | None
    notes: list[str]


@dataclass(frozen=True)
class TestSet:
    """What a submission answers."""

    dataset: Dataset
    lookup: Lookup
    sample: Ints | None


def take_in(found: Found, recipe: Recipe, data: Path | None, saved: Path | None = None) -> Intake:
    """Read, check and split a competition's training data.

    Args:
        saved: the folds.parquet of a run that goes on: its folds are taken, and refused for other data.

    Raises:
        DataError: anything in the files that cannot be trusted.
        UsageError: no data where the competition needs some, or mirroring without known pairs.
    """
    schema = found.competition.schema_of_points
    dataset, notes = apply_outside(get(found.competition.format).read_train(data, schema), recipe.data.outside)
    schemes = discover(dataset.labelled)  # before rows are dropped, so that a scheme has one name in every recipe
    dataset, dropped = _choose_rows(dataset, recipe)
    if recipe.augment.mirror or recipe.predict.mirror:
        _refuse_unknown_pairs(schema)
        check_mirror(schema, dataset.points)
    scheme = schemes.assign(dataset.labelled)
    folds = load(saved, dataset.digest, dataset.ids) if saved else make(dataset, scheme, recipe.folds, recipe.seed)
    mix, unknown = _test_mix(found, data, schemes)
    return Intake(dataset, scheme, schemes, folds, mix, [*notes, *dropped, *unknown])


def read_test(found: Found, data: Path | None) -> TestSet:
    """Read what a submission must answer.

    Raises:
        DataError: a file is missing or cannot be trusted.
    """
    schema = found.competition.schema_of_points
    reader = get(found.competition.format)
    dataset = reader.read_test(data, schema)
    return TestSet(dataset, reader.read_lookup(data, dataset), reader.read_sample(data))


def _refuse_unknown_pairs(schema: Schema) -> None:
    if not schema.mirror:
        raise UsageError(
            f"{schema.name}: no mirror pairs are known, so nothing can be flipped",
            "give pairs in competition.toml, or --set augment.mirror=0 --set predict.mirror=false",
        )


def _choose_rows(dataset: Dataset, recipe: Recipe) -> tuple[Dataset, list[str]]:
    labelled = dataset.labelled
    keep: Mask = np.asarray(labelled.all(1) if recipe.data.rows == "complete" else labelled.any(1))
    if not keep.any():
        raise DataError(f"no row is left under data.rows = '{recipe.data.rows}'", "use --set data.rows=all")
    if keep.all():
        return dataset, []
    why = "not all points labelled" if recipe.data.rows == "complete" else "nothing labelled"
    return dataset.take(np.flatnonzero(keep)), [f"{int((~keep).sum())} of {len(keep)} rows left out: {why}"]


def _test_mix(found: Found, data: Path | None, schemes: Schemes) -> tuple[list[float] | None, list[str]]:
    # A folder with training.csv alone must train; a damaged test file is told now and not after an hour of training.
    try:
        test = read_test(found, data)
    except MissingFileError as error:
        return None, [f"the test set's mix of marking schemes is not known ({error.message})"]
    return schemes.share(test.lookup.asked(len(test.dataset), len(test.dataset.schema.points))), []
