"""Runs' out-of-fold predictions side by side, with every check that they may stand there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from kptool.errors import DataError, LeakError, UsageError
from kptool.folds import check_leak
from kptool.geometry import Floats
from kptool.report.load import load
from kptool.report.outcome import Outcome
from kptool.runs import Run


@dataclass(frozen=True)
class Joined:
    """M runs of the same N rows.

    Attributes:
        runs: as they were named; some may be ensembles.
        outcomes: what each came to; the first one's folds, groups and labels count.
        points: (M, N, K, 2) out-of-fold predictions in the original images' px.
        spread: (M, N, K) their standard deviations in px, NaN where a run tells none.
    """

    runs: tuple[Run, ...]
    outcomes: tuple[Outcome, ...]
    points: Floats
    spread: Floats

    @property
    def first(self) -> Outcome:
        """The outcome whose folds, groups and labels count."""
        return self.outcomes[0]


def join(runs: Sequence[Run]) -> Joined:
    """Read runs that predicted the same rows.

    Raises:
        UsageError: no run, or runs of several competitions.
        DataError: a run has folds to train, was made of other data, rows or labels, or is damaged.
        LeakError: a run parted rows over its folds that another holds together.
    """
    if not runs:
        raise UsageError("an ensemble needs runs", "kptool ensemble RUN RUN")
    for run in runs:
        _refuse_other_competition(runs[0], run)
        _refuse_unfinished(run)
        _refuse_other_data(runs[0], run)
    outcomes = tuple(load(run) for run in runs)
    for run, outcome in zip(runs, outcomes, strict=True):
        _refuse_other_labels(runs[0], outcomes[0], run, outcome)
    for (a, one), (b, other) in product(zip(runs, outcomes, strict=True), repeat=2):
        _refuse_leak(a, one, b, other)
    points, spread = (np.stack([getattr(one, name) for one in outcomes]) for name in ("predicted", "spread"))
    return Joined(tuple(runs), outcomes, points, spread)


def _refuse_other_competition(first: Run, run: Run) -> None:
    own, other = run.found.competition, first.found.competition
    if own.slug != other.slug:
        raise UsageError(
            f"{run.path} is a run of {own.slug}, {first.path} of {other.slug}", "name runs of one competition"
        )
    if own.schema_of_points.points != other.schema_of_points.points:
        raise UsageError(f"{run.path} and {first.path} learned different points", "name runs of one competition.toml")


def _refuse_unfinished(run: Run) -> None:
    count = run.recipe.folds.count
    missing = sorted(set(range(count)) - set(run.finished))
    if missing:
        which = f"fold{'s' if len(missing) > 1 else ''} {', '.join(map(str, missing))}"
        every = ",".join(map(str, range(count)))
        raise DataError(
            f"{run.path}: {which} of {count} not finished, so not every row has a prediction",
            f"kptool cv --resume {run.path} --folds {every}",
        )
    if run.members is None and not (run.path / "oof.parquet").is_file():
        raise DataError(f"{run.path}: its folds are not joined yet", f"kptool cv --resume {run.path}")


def _refuse_other_data(first: Run, run: Run) -> None:
    if run.env["data_digest"] == first.env["data_digest"]:
        return
    rows = [one.recipe.data.rows for one in (run, first)]
    if rows[0] != rows[1]:
        narrow, wide = (run, first) if rows[0] == "complete" else (first, run)
        raise DataError(
            f"{narrow.path} predicted complete rows only, {wide.path} all rows, and an ensemble needs each row of all",
            "leave one out, or train it again with --set data.rows=all",
        )
    digests = [str(one.env["data_digest"])[:12] for one in (run, first)]
    raise DataError(
        f"{run.path} was made of other data than {first.path} (digest {digests[0]}, not {digests[1]})",
        "name runs of the same files and rows, or train one of them again",
    )


def _refuse_other_labels(first: Run, wanted: Outcome, run: Run, outcome: Outcome) -> None:
    if not np.array_equal(outcome.ids, wanted.ids):
        raise DataError(f"{run.path} has other images than {first.path}", "train one of them again")
    if outcome.schemes.names != wanted.schemes.names or not np.array_equal(outcome.schemes.masks, wanted.schemes.masks):
        raise DataError(f"{run.path} has other marking schemes than {first.path}", "train one of them again")
    if not np.array_equal(outcome.truth, wanted.truth, equal_nan=True):
        same = (outcome.truth == wanted.truth) | (np.isnan(outcome.truth) & np.isnan(wanted.truth))
        row, point, _ = np.argwhere(~same)[0]
        raise DataError(
            f"{run.path} has other labels than {first.path}: {wanted.schema.points[point]} of image {wanted.ids[row]}",
            "train both with one data.outside",
        )


def _refuse_leak(a: Run, one: Outcome, b: Run, other: Outcome) -> None:
    """A run that saw a row's duplicate in training looks better than it is, and would be given too much weight."""
    if other.group is None:
        return
    try:
        check_leak(one.fold, other.group, one.ids)
    except LeakError as error:
        raise LeakError(
            f"{a.path}: {error.message}, as {b.path} has its groups", "train it again with the other one's [folds]"
        ) from None
