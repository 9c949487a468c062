"""A competition's training data, checked and split before any training."""

from __future__ import annotations

from pathlib import Path

from kptool.competitions import Found
from kptool.config import Recipe
from kptool.crop import uses_boxes
from kptool.dataset import Dataset
from kptool.edits import apply_edits
from kptool.folds import Folds, load, make
from kptool.intake.asked import test_mix_of
from kptool.intake.refusals import refuse_settings_of_pairs, refuse_unknown_pairs, refuse_unlabelled
from kptool.intake.rows import read_rows
from kptool.intake.values import Intake
from kptool.metrics import normaliser
from kptool.pixels import Tick
from kptool.schema import check_mirror
from kptool.schemes import Schemes
from kptool.soft_labels import notes_on_soft, refuse_other_soft


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
    refuse_settings_of_pairs(recipe)
    schema = found.competition.schema_of_points
    dataset, thumbnails, schemes, known, notes = read_rows(found, recipe, data, tick)
    if recipe.augment.mirror or recipe.predict.mirror:
        refuse_unknown_pairs(schema)
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
    mix, unknown = test_mix_of(found, data, schemes, uses_boxes(dataset, recipe.crop))
    told = [*notes, *edited.notes, *_check_soft(recipe, dataset, schemes, folds), *unknown]
    intake = Intake(dataset, scheme, schemes, folds, mix, told, edited.points if recipe.data.edits else None)
    refuse_unlabelled(intake, recipe.model.per_scheme)
    return intake


def _check_soft(recipe: Recipe, dataset: Dataset, schemes: Schemes, folds: Folds) -> list[str]:
    """Notes on the recipe's soft labels; raises KptoolError where they are not of these data and folds."""
    if not recipe.data.soft:
        return []
    file = Path(recipe.data.soft)
    about = refuse_other_soft(file, dataset, schemes, folds.fold)
    return notes_on_soft(file, about, recipe.data.soft_radius, dataset, folds.count)
