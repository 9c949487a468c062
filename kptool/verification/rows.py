"""Single pairs and people: what went wrong most surely, what went right, and who is on it."""

from __future__ import annotations

from collections import Counter

import numpy as np

from kptool.dataset import Ints
from kptool.verification.judged import Judged
from kptool.verification.outcome import PairOutcome
from kptool.verification.values import PairRow, PersonFailures

SHOWN = 24


def pair_row(outcome: PairOutcome, found: Judged, at: int) -> PairRow:
    """The pair at place `at` of the judged ones."""
    row = int(found.row[at])
    first, second = int(outcome.first[row]), int(outcome.second[row])
    probability, decision = float(found.probability[at]), bool(found.decision[at])
    return PairRow(
        row=row,
        id=str(outcome.ids[row]),
        fold=int(found.fold[at]),
        first=str(outcome.images[first]),
        second=str(outcome.images[second]),
        first_image=first,
        second_image=second,
        same=bool(found.same[at]),
        score=float(found.score[at]),
        probability=probability,
        decision=decision,
        confidence=probability if decision else 1 - probability,
    )


def surest(outcome: PairOutcome, found: Judged, right: bool) -> tuple[PairRow, ...]:
    """The pairs answered rightly, or wrongly, of which the model is surest; at most SHOWN."""
    rows = np.flatnonzero(found.right == right)
    return tuple(pair_row(outcome, found, int(at)) for at in rows[order(found, rows)][:SHOWN])


def order(found: Judged, rows: Ints) -> Ints:
    """(n,) places in `rows`: by confidence in the answer, then by the score's distance from the threshold, then id."""
    sure = np.where(found.decision[rows], found.probability[rows], 1 - found.probability[rows])
    return np.lexsort((-found.away[rows], -np.nan_to_num(sure)))


def people(outcome: PairOutcome, found: Judged) -> tuple[PersonFailures, ...]:
    """Everyone with a wrong pair, most wrong pairs first, then the larger share, then by name."""
    both = np.stack([outcome.person[outcome.first[found.row]], outcome.person[outcome.second[found.row]]], axis=1)
    wrong = np.flatnonzero(~found.right)
    out = [_person(outcome, found, both, int(person)) for person in np.unique(both[wrong])]
    return tuple(sorted(out, key=lambda one: (-one.wrong, -one.wrong / one.pairs, one.person)))


def _person(outcome: PairOutcome, found: Judged, both: Ints, person: int) -> PersonFailures:
    own = np.flatnonzero((both == person).any(1))
    wrong = own[~found.right[own]]
    rows = found.row[wrong]
    pictures = np.concatenate([outcome.first[rows], outcome.second[rows]])
    counts = Counter(sorted(p for p in pictures.tolist() if outcome.person[p] == person))
    worst, times = min(counts.items(), key=lambda item: (-item[1], item[0]))
    accepted = int(found.decision[wrong].sum())
    return PersonFailures(
        person=str(outcome.people[person]),
        pairs=len(own),
        wrong=len(wrong),
        false_accepts=accepted,
        false_rejects=len(wrong) - accepted,
        worst=str(outcome.images[worst]),
        worst_pairs=times,
    )
