"""How many held-out pairs show somebody seen in training: by a given split, and by one at random."""

from __future__ import annotations

import numpy as np

from kptool.dataset import Ints, Mask
from kptool.pairs import Pairs


def leaking(people: Ints, fold: Ints) -> Mask:
    """(P,) pairs with a person who also stands in a pair of another fold, which their fold's model learned from.

    Args:
        people: (P, 2) who is on the two pictures of each pair, from 0.
        fold: (P,) the fold that holds it out; -1 = none does, so that every model learned from it.
    """
    of_fold = np.zeros((int(people.max()) + 1, int(fold.max()) + 2), dtype=np.int64)
    for column in people.T:
        np.add.at(of_fold, (column, fold + 1), 1)
    elsewhere = of_fold.sum(1, keepdims=True) - of_fold
    return np.asarray((elsewhere[people, fold[:, None] + 1] > 0).any(1))


def own_leak(pairs: Pairs, fold: Ints) -> float:
    """Share of `leaking` pairs; `fold` (P,), from 0."""
    return float(leaking(pairs.pair_people, fold).mean())


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


def shared_people(one: Pairs, other: Pairs) -> list[str]:
    """Names that stand in pairs of both, sorted; a person whose pictures are in no pair does not count."""
    names = [set(pairs.people[np.unique(pairs.pair_people)].tolist()) for pairs in (one, other)]
    return sorted(names[0] & names[1])
