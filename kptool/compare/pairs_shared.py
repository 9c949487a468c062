"""The pairs that several runs share, and the hand-made baselines that stand beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kptool.compare.read import PairEntry
from kptool.dataset import Mask
from kptool.errors import DataError
from kptool.verification.outcome import PairOutcome


@dataclass(frozen=True)
class Baseline:
    """The classical baseline of one run or of several that have the same.

    Attributes:
        name: in words; with the run that it is taken from where not all runs have the same.
        entry: that run, with the baseline's scores in place of its own.
        runs: the names of all that have it.
    """

    name: str
    entry: PairEntry
    runs: tuple[str, ...]


def refuse_other_pairs(base: PairEntry, other: PairEntry) -> None:
    """Raise DataError where two runs are not of the same pairs."""
    one, two = base.outcome, other.outcome
    if one.data_digest != two.data_digest:
        raise DataError(
            f"{other.run.path} was made of other pairs than {base.run.path} ({two.data_digest[:12]}… not "
            f"{one.data_digest[:12]}…)",
            "train both on the same files, then compare",
        )
    if not np.array_equal(one.ids, two.ids) or not np.array_equal(one.same, two.same):
        raise DataError(
            f"{other.run.path} and {base.run.path} have one data digest and not the same pairs",
            "restore the runs' own files, or train again",
        )


def shared(entries: Sequence[PairEntry]) -> Mask:
    """(P,) the pairs that all runs predicted; raises DataError where there is none."""
    found: Mask = np.asarray(np.all([entry.outcome.fold >= 0 for entry in entries], axis=0))
    if not found.any():
        names = " and ".join(str(entry.run.path) for entry in (entries[0], entries[-1]))
        raise DataError(f"{names} have no pair in common that both predicted", "train the same folds of both")
    return found


def within(outcome: PairOutcome, common: Mask) -> PairOutcome:
    """A run's outcome as if only the common pairs (P,) had been predicted: thresholds are chosen on them alone."""
    return replace(outcome, fold=np.where(common, outcome.fold, -1))


def baselines(entries: Sequence[PairEntry]) -> tuple[list[Baseline], list[str]]:
    """The baselines of runs, each once, and what is to be said of them.

    A run's baseline is another where its folds or its frames are others. One that lacks pairs that its run predicted
    is left out, and named.
    """
    kinds: list[list[PairEntry]] = []
    said = []
    for entry in entries:
        made, rows = entry.outcome, entry.outcome.fold >= 0
        lacks = int((~np.isfinite(made.classical[rows])).sum())
        if lacks == rows.sum():
            continue
        if lacks:
            said.append(f"{entry.name}: its classical baseline lacks {lacks} of {rows.sum()} pairs and is left out.")
            continue
        kind = next((kind for kind in kinds if all(_alike(made, other.outcome) for other in kind)), None)
        if kind is None:
            kinds.append([entry])
        else:
            kind.append(entry)
    found = [_baseline(kind, alone=len(kinds) == 1) for kind in kinds]
    if len(found) > 1:
        each = "; ".join(f"{one.name} is that of {', '.join(one.runs)}" for one in found)
        said.append(f"The classical baseline is not the same for all runs, whose folds or frames differ: {each}.")
    return found, said


def _alike(one: PairOutcome, two: PairOutcome) -> bool:
    """Whether two runs' baselines are one, by the pairs that both predicted."""
    both = (one.fold >= 0) & (two.fold >= 0)
    if not both.any() or not np.array_equal(one.fold[both], two.fold[both]):
        return False
    # Machines may round the last bits in different ways.
    return np.allclose(one.classical[both], two.classical[both], rtol=1e-9, atol=1e-12)


def _baseline(kind: Sequence[PairEntry], alone: bool) -> Baseline:
    widest = max(kind, key=lambda entry: int((entry.outcome.fold >= 0).sum()))
    outcome = replace(widest.outcome, score=widest.outcome.classical)
    name = "classical baseline" if alone else f"classical baseline of {widest.name}"
    return Baseline(name, replace(widest, name=name, outcome=outcome), tuple(entry.name for entry in kind))
