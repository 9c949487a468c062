"""From files of pairs to everything a cross-validation needs to know of them, checked before any training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kptool.competitions import Found
from kptool.config import Recipe
from kptool.errors import DataError, LeakError, UsageError
from kptool.folds import Folds, load
from kptool.formats.pairs import read_test, read_train
from kptool.pair_files import read_pairs
from kptool.pair_folds import make, naive_leak, uneven
from kptool.pairs import Pairs
from kptool.runs import Run


@dataclass(frozen=True)
class PairIntake:
    """A competition's pairs, checked and split.

    Attributes:
        pairs: the P pairs.
        folds: who is held out when; a group is people joined by pairs.
        naive_leak: share of held-out pairs with a person seen in training, were the pairs split at random.
        notes: what a user should know, a line each.
    """

    pairs: Pairs
    folds: Folds
    naive_leak: float
    notes: list[str]


def take_in_pairs(found: Found, recipe: Recipe, data: Path | None, saved: Path | None = None) -> PairIntake:
    """Read, check and split a competition's training pairs.

    Args:
        saved: the folds.parquet of a run that goes on: its folds are taken, and refused for other data.

    Raises:
        DataError: anything in the files that cannot be trusted.
        LeakError: a person in two folds.
        UsageError: no data, or settings that mean nothing for pairs.
    """
    _refuse_settings_of_points(recipe)
    pairs, notes = read_train(found.competition, data, recipe.data, recipe.seed, recipe.folds.count)
    count = recipe.folds.count
    folds = load(saved, pairs.digest, pairs.ids, "pair") if saved else make(pairs, count, recipe.seed)
    _refuse_one_kind(pairs, folds)
    told = [*notes, *filter(None, [uneven(pairs, folds)])]
    return PairIntake(pairs, folds, naive_leak(pairs, count, recipe.seed), told)


def read_sealed(run: Run, data: Path | None, file: Path | None = None) -> Pairs:
    """The pairs that a submission answers: the competition's own, or those of a file that the user names.

    Raises:
        LeakError: a person of these pairs is also in the training pairs.
        DataError: a file is missing or cannot be trusted.
    """
    test = read_test(run.found.competition, data, file)
    if shared := sorted(set(read_pairs(run.path).people.tolist()) & set(test.people.tolist())):
        names = f"{shared[0]} and {len(shared) - 1} more" if len(shared) > 1 else shared[0]
        raise LeakError(
            f"{len(shared)} of the {len(test.people)} people of {test.protocol} stand in the training pairs of "
            f"{run.path.name} ({names}): its score there would be of faces it has seen",
            f"cross-validate {test.protocol} itself, or answer pairs of other people",
        )
    return test


def _refuse_one_kind(pairs: Pairs, folds: Folds) -> None:
    """Raise DataError for a fold that could be neither trained nor judged, before there is a run."""
    for fold in range(folds.count):
        for what, rows in (("holds out", folds.held_out(fold)), ("would learn from", folds.train(fold))):
            same = pairs.same[rows]
            if same.all() or not same.any():
                kind = "one person" if same.all() else "different people"
                raise DataError(
                    f"fold {fold} of {folds.count} {what} pairs of {kind} alone: people are joined by too many pairs "
                    "to part both kinds",
                    "set folds.count lower, or bring pairs of more people",
                )


def _refuse_settings_of_points(recipe: Recipe) -> None:
    """Raise UsageError for settings that a run of pairs would silently ignore."""
    wrong = {
        "data.edits": bool(recipe.data.edits),
        "data.soft": bool(recipe.data.soft),
        "data.rows": recipe.data.rows != "all",
        "data.on_bad": recipe.data.on_bad != "fail",
    }
    if name := next((key for key, on in wrong.items() if on), None):
        why = "a protocol counts all of its pairs" if name == "data.on_bad" else "it is of keypoints"
        raise UsageError(f"{name} means nothing for verification: {why}", "leave it out")
