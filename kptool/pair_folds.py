"""Folds that keep people apart: whoever is joined by pairs is held out together, and nobody stands in two folds."""

from __future__ import annotations

import numpy as np

from kptool.dataset import Ints
from kptool.duplicates import connect
from kptool.errors import DataError, LeakError, UsageError
from kptool.folds import Folds
from kptool.pairs import Pairs

SWAPS = 200_000  # at most, of the repair


def components(pairs: Pairs) -> Ints:
    """(P,) pairs whose people are joined by pairs, directly or through others, share a number."""
    person = connect(len(pairs.people), pairs.pair_people)
    _, group = np.unique(person[pairs.person[pairs.first]], return_inverse=True)
    return np.asarray(group.reshape(-1), dtype=np.int64)


def make(pairs: Pairs, count: int, seed: int) -> Folds:
    """Split pairs so that no person stands in two folds, with nothing thrown away.

    Folds that the list itself gives are taken as they are. Otherwise whole components are packed into folds with as
    many pairs of one person, and as many of two, in each: exactly so where the components allow it.

    Args:
        count: folds.
        seed: one seed, one split.

    Raises:
        UsageError: the list has folds of its own, of another number.
        LeakError: it puts a person into two of them.
        DataError: fewer components than folds.
    """
    if pairs.fold is not None:
        own = int(pairs.fold.max()) + 1
        if own != count:
            raise UsageError(f"{pairs.protocol} has {own} folds of its own, folds.count is {count}", f"set it to {own}")
        _refuse_shared(pairs, pairs.fold)
        return Folds(pairs.fold, count, components(pairs), pairs.digest)
    group = components(pairs)
    groups = int(group.max()) + 1
    if groups < count:
        raise DataError(
            f"{len(pairs)} pairs join their people into {groups} groups, too few for {count} folds",
            f"set folds.count to {groups}" if groups > 1 else "bring pairs of people who are not all joined",
        )
    kinds = np.stack([np.bincount(group, pairs.same, groups), np.bincount(group, ~pairs.same, groups)], axis=1)
    fold = _packed(kinds.astype(np.int64), count, np.random.default_rng(seed))
    return Folds(fold[group], count, group, pairs.digest)


def _packed(kinds: Ints, count: int, generator: np.random.Generator) -> Ints:
    """(G,) a fold for each component with kinds (G, 2) of pairs: the largest first, then swaps until all is even."""
    order = generator.permutation(len(kinds))
    order = order[np.argsort(-kinds[order].sum(1), kind="stable")]
    target = kinds.sum(0) / count
    fold, held = np.zeros(len(kinds), dtype=np.int64), np.zeros((count, 2), dtype=np.int64)
    for done, one in enumerate(order):
        empty = np.flatnonzero(held.sum(1) == 0)
        over = np.clip(held + kinds[one] - target, 0, None)
        cost = 1e6 * (over**2).sum(1) + ((held + kinds[one]) ** 2 - held**2).sum(1)
        best = int(empty[0]) if len(empty) == len(kinds) - done else int(np.argmin(cost))
        fold[one] = best
        held[best] += kinds[one]
    return _repaired(fold, held, kinds, generator)


def _repaired(fold: Ints, held: Ints, kinds: Ints, generator: np.random.Generator) -> Ints:
    """Move or swap components by lot wherever that makes the folds no less even, until they cannot be more even."""
    target = kinds.sum(0) / len(held)
    part = target - np.floor(target)
    least = len(held) * float((part * (1 - part)).sum()) + 1e-9  # as even as whole numbers can be
    fold, held = fold.copy(), held.astype(np.float64)
    cost = float(((held - target) ** 2).sum())
    picks = generator.integers(len(kinds), size=(SWAPS, 2)).tolist()
    for (a, b), move in zip(picks, (generator.random(SWAPS) < 0.4).tolist(), strict=True):
        if cost <= least:
            break
        here, there = int(fold[a]), int(fold[b])
        if here == there:
            continue
        step = kinds[a] if move else kinds[a] - kinds[b]
        new = cost + _change(held[here], -step, target) + _change(held[there], step, target)
        if new <= cost and not (move and (fold == here).sum() == 1):
            held[here] -= step
            held[there] += step
            fold[a], cost = there, float(((held - target) ** 2).sum())
            if not move:
                fold[b] = here
    return fold


def _change(held: np.ndarray[tuple[int], np.dtype[np.float64]], step: Ints, target: Ints) -> float:
    return float(((held + step - target) ** 2 - (held - target) ** 2).sum())


def _refuse_shared(pairs: Pairs, fold: Ints) -> None:
    """Raise LeakError for the first person who stands in two folds, with a pair of each."""
    first: dict[int, int] = {}
    for row, people in enumerate(pairs.pair_people.tolist()):
        for person in people:
            other = first.setdefault(person, row)
            if fold[other] != fold[row]:
                places = [str(pairs.places[at]) or str(pairs.ids[at]) for at in (other, row)]
                raise LeakError(
                    f"{pairs.people[person]} stands in fold {fold[other]} ({places[0]}) and in fold {fold[row]} "
                    f"({places[1]})",
                    "a person may stand in one fold only: restore the list as it was shipped",
                )


def own_leak(pairs: Pairs, fold: Ints) -> float:
    """Share of the pairs with a person who also stands in a pair of another fold (P,)."""
    people = pairs.pair_people
    of_fold = np.zeros((len(pairs.people), int(fold.max()) + 1), dtype=np.int64)
    for column in people.T:
        np.add.at(of_fold, (column, fold), 1)
    elsewhere = of_fold.sum(1, keepdims=True) - of_fold
    return float((elsewhere[people, fold[:, None]] > 0).any(1).mean())


def naive_leak(pairs: Pairs, count: int, seed: int, draws: int = 20) -> float:
    """`own_leak` of splits at random, stratified by same and different, on average."""
    generator, shares = np.random.default_rng(seed), []
    for _ in range(draws):
        fold = np.zeros(len(pairs), dtype=np.int64)
        for kind in (pairs.same, ~pairs.same):
            rows = generator.permutation(np.flatnonzero(kind))
            fold[rows] = np.arange(len(rows)) % count
        shares.append(own_leak(pairs, fold))
    return float(np.mean(shares))
