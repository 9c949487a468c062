"""Law: where whole groups can be dealt evenly they are, and where they cannot it is told."""

from __future__ import annotations

import time

import numpy as np
import pytest
from test_pair_folds import held, made

from kptool.dataset import Ints
from kptool.pair_folds import make, uneven
from kptool.pair_folds.packing import pack


def planted(count: int, groups: int, most: int, seed: int) -> Ints:
    """(G, 2) groups that can be dealt exactly: each fold's pairs of both kinds, cut by lot into up to so many."""
    rng = np.random.default_rng([count, groups, seed])
    same, different = rng.integers(most // 2, most, 2)
    folds = []
    for _ in range(count):
        cuts = [np.sort(rng.integers(0, n + 1, groups - 1)) for n in (same, different)]
        ends = [np.diff([0, *cut, n]) for cut, n in zip(cuts, (same, different), strict=True)]
        folds.append(np.stack(ends, axis=1))
    kinds = np.concatenate(folds)
    return rng.permutation(kinds[kinds.sum(1) > 0])


def sums(kinds: Ints, fold: Ints, count: int) -> Ints:
    return np.stack([np.bincount(fold, kind, count) for kind in kinds.T], axis=1).astype(np.int64)


@pytest.mark.parametrize(
    ("count", "groups", "most"),
    [(2, 3, 10), (3, 2, 10), (3, 3, 12), (3, 5, 20), (5, 8, 40), (10, 7, 30), (5, 150, 220)],
)
@pytest.mark.parametrize("seed", range(3))
def test_an_even_deal_that_was_hidden_is_found_again(count: int, groups: int, most: int, seed: int) -> None:
    kinds = planted(count, groups, most, seed)
    fold = pack(kinds, count, np.random.default_rng(seed))
    found = sums(kinds, fold, count)
    assert (found == kinds.sum(0) // count).all(), found.tolist()


def test_the_hardest_are_at_most_a_pair_or_two_off() -> None:
    kinds = planted(4, 10, 200, 0)
    found = sums(kinds, pack(kinds, 4, np.random.default_rng(0)), 4)
    assert (abs(found - kinds.sum(0) / 4) <= 2).all(), found.tolist()


def test_one_generator_one_deal_and_the_groups_are_left_as_they_were() -> None:
    kinds = planted(4, 5, 30, 1)
    before = kinds.copy()
    one, again = (pack(kinds, 4, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(one, again)
    assert np.array_equal(kinds, before)


def test_groups_that_cannot_be_even_are_told_and_those_that_are_not() -> None:
    large = made([(9, 0), (1, 3), (1, 2), (0, 4)])
    folds = make(large, 3, 0)
    low, high = held(large, folds.fold, 3).min(0), held(large, folds.fold, 3).max(0)
    assert uneven(large, folds) == (
        f"folds hold {low[0]} to {high[0]} pairs of one person and {low[1]} to {high[1]} pairs of two people: people "
        "joined by pairs must not part"
    )
    assert high[0] == 9
    even, odd = made([(1, 1)] * 6), made([(1, 1)] * 7)
    assert uneven(even, make(even, 3, 0)) == uneven(odd, make(odd, 3, 0)) == ""


def test_what_cannot_be_even_ends_where_no_single_move_would_help() -> None:
    kinds = np.array([[50, 1], [3, 40], *[[2, 1]] * 30, [1, 700]])
    start = time.process_time()
    fold = pack(kinds, 5, np.random.default_rng(0))
    assert time.process_time() - start < 10
    cost = (sums(kinds, fold, 5) ** 2).sum()
    for group in range(len(kinds)):
        for other in range(5):
            moved = fold.copy()
            moved[group] = other
            assert (sums(kinds, moved, 5) ** 2).sum() >= cost
