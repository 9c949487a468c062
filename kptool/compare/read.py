"""Runs read for a comparison, and refused where they cannot be held against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kptool.compare.names import short_names
from kptool.dataset import Dataset, Ints
from kptool.engine.history import Epoch, read_history
from kptool.errors import DataError, UsageError
from kptool.report import Outcome
from kptool.report.load import load
from kptool.runs import Run, open_run
from kptool.verification.load import load as load_pairs
from kptool.verification.outcome import PairOutcome


@dataclass(frozen=True)
class Entry:
    """A run and what it handed over.

    Attributes:
        name: short, and its own among the runs compared.
        curves: the history of each finished fold that has one.
    """

    name: str
    run: Run
    outcome: Outcome
    curves: tuple[tuple[Epoch, ...], ...]


@dataclass(frozen=True)
class PairEntry:
    """A run of pairs and what it handed over; `name` as of `Entry`."""

    name: str
    run: Run
    outcome: PairOutcome

    @property
    def curves(self) -> tuple[tuple[Epoch, ...], ...]:
        """The history of each finished fold that has one."""
        return tuple(map(tuple, self.outcome.history.values()))


def read(paths: Sequence[Path]) -> tuple[Entry, ...]:
    """Open runs of points and read their out-of-fold predictions.

    Raises:
        UsageError: fewer than two, or what is no run, or runs of different competitions or of pairs.
        DataError: a run without a finished fold or with a damaged file.
    """
    runs = open_runs(paths)
    if of_pairs(runs):
        raise UsageError(f"{runs[0].path} is a run of pairs and has no points", "name runs of keypoints")
    return tuple(_entry(name, run) for name, run in zip(short_names(paths), runs, strict=True))


def read_pairs(paths: Sequence[Path]) -> tuple[PairEntry, ...]:
    """`read` of runs of pairs."""
    runs = open_runs(paths)
    if not of_pairs(runs):
        raise UsageError(f"{runs[0].path} is a run of points and has no pairs", "name runs of verification")
    return tuple(PairEntry(name, run, load_pairs(run)) for name, run in zip(short_names(paths), runs, strict=True))


def of_pairs(runs: Sequence[Run]) -> bool:
    """Whether runs of one competition are of pairs."""
    return runs[0].found.competition.task == "verification"


def open_runs(paths: Sequence[Path]) -> list[Run]:
    """Open runs of one competition, two at least; raises UsageError as `read` does."""
    if len(paths) < 2:
        raise UsageError("kptool compare needs at least two runs", "kptool report RUN shows one")
    runs = [open_run(path) for path in paths]
    for run in runs[1:]:
        refuse_other_competition(runs[0], run)
    return runs


def _entry(name: str, run: Run) -> Entry:
    files = run.of_finished("history.csv")
    return Entry(name, run, load(run), tuple(tuple(read_history(file)) for file in files if file.is_file()))


def refuse_other_competition(base: Run, other: Run) -> None:
    """Raise UsageError where two runs have not the same task, points and metric."""
    one, two = base.found.competition, other.found.competition
    if one.slug != two.slug:
        raise UsageError(
            f"{other.path} is a run of {two.slug}, {base.path} of {one.slug}", "compare runs of one competition"
        )
    for what in ("task", "schema_of_points", "metric", "normaliser"):
        if getattr(one, what) != getattr(two, what):
            name = "points" if what == "schema_of_points" else what
            raise UsageError(
                f"{other.path} and {base.path}: two competitions of the name {one.slug} with different {name}",
                "compare runs of one competition.toml",
            )


def data_note(base: Entry, other: Entry) -> str:
    """What to say of two runs' data; nothing where it is one and the same.

    A recipe may leave rows out (data.rows, data.on_bad), and its digest then tells which; see `Dataset.take`.

    Raises:
        DataError: the runs were made of different data.
    """
    digests = base.outcome.data_digest, other.outcome.data_digest
    if digests[0] == digests[1] or _selects(base.outcome, other.outcome) or _selects(other.outcome, base.outcome):
        return ""
    options = [(entry.run.recipe.data, entry.run.recipe.crop) for entry in (base, other)]
    if options[0] == options[1] or set(base.outcome.ids) == set(other.outcome.ids):
        raise DataError(
            f"{other.run.path} was made of other data than {base.run.path} ({digests[1][:12]}… not {digests[0][:12]}…)",
            "train both on the same files, then compare",
        )
    return (
        f"{base.name} and {other.name} use different rows, and their digests cannot show that the files were the "
        "same; the labels of the images they share are equal."
    )


def _selects(whole: Outcome, part: Outcome) -> bool:
    """Whether the digest of `part` says that it is some rows of `whole`."""
    place = {str(name): row for row, name in enumerate(whole.ids)}
    rows: Ints = np.array([place.get(str(name), -1) for name in part.ids], dtype=np.int64)
    if (rows < 0).any():
        return False
    no_pixels = np.zeros((len(whole.ids), 1, 0, 0), dtype=np.uint8)
    data = Dataset(whole.ids, no_pixels, whole.truth, whole.schema, whole.data_digest)
    return data.take(rows).digest == part.data_digest
