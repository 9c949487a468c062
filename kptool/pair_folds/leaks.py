"""How many held-out pairs show somebody seen in training: by a given split, and by one at random."""

from __future__ import annotations

import numpy as np

from kptool.dataset import Ints
from kptool.pairs import Pairs


def own_leak(pairs: Pairs, fold: Ints) -> float:
    """Share of the pairs with a person who also stands in a pair of another fold; `fold` (P,), from 0."""
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


def shared_people(one: Pairs, other: Pairs) -> list[str]:
    """Names that stand in pairs of both, sorted; a person whose pictures are in no pair does not count."""
    names = [set(pairs.people[np.unique(pairs.pair_people)].tolist()) for pairs in (one, other)]
    return sorted(names[0] & names[1])
