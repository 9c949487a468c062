"""What is asked of the runs of an ensemble, whatever their task: one competition, all folds, one data, no leak."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from kptool.errors import DataError, LeakError, UsageError
from kptool.folds import check_leak
from kptool.report.outcome import Outcome
from kptool.runs import Run
from kptool.verification.outcome import PairOutcome


def refuse_unlike(runs: Sequence[Run]) -> None:
    """Refuse runs that did not predict the same rows.

    Raises:
        UsageError: no run, or runs of several competitions.
        DataError: a run has folds to train, or was made of other data or rows.
    """
    if not runs:
        raise UsageError("an ensemble needs runs", "kptool ensemble RUN RUN")
    for run in runs:
        _refuse_other_competition(runs[0], run)
        _refuse_unfinished(run)
        _refuse_other_data(runs[0], run)


def refuse_leaks(runs: Sequence[Run], outcomes: Sequence[Outcome | PairOutcome]) -> None:
    """Raise LeakError where a run parted rows over its folds that another holds together.

    A run that saw a row's duplicate in training looks better than it is, and would be given too much weight.
    """
    for (a, one), (b, other) in product(zip(runs, outcomes, strict=True), repeat=2):
        if other.group is None:
            continue
        try:
            check_leak(one.fold, other.group, one.ids)
        except LeakError as error:
            raise LeakError(
                f"{a.path}: {error.message}, as {b.path} has its groups", "train it again with the other one's [folds]"
            ) from None


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
            f"{run.path}: {which} of {count} not finished, so not all of the data has a prediction",
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
    remedy = "name runs of the same files and rows, or train one of them again"
    if rows[0] == rows[1] and "identities" in (run.recipe.data.pairs_from, first.recipe.data.pairs_from):
        remedy = "pairs are drawn from folders by seed and folds.count: name runs that share both"
    digests = [str(one.env["data_digest"])[:12] for one in (run, first)]
    raise DataError(
        f"{run.path} was made of other data than {first.path} (digest {digests[0]}, not {digests[1]})",
        remedy,
    )
