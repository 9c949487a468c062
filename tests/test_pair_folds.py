"""Law: nobody stands in two folds, nothing is thrown away, and the folds are as even as the people allow."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lfw_lists import lfw

from kptool.config import DataOptions
from kptool.dataset import Dataset, Ints
from kptool.errors import DataError, LeakError, UsageError
from kptool.formats.pairs import read_train
from kptool.pair_folds import components, make, naive_leak, own_leak
from kptool.pairs import Pairs
from kptool.schema import Schema


def made(blocks: Sequence[tuple[int, int]], seed: int = 0, fold: Ints | None = None) -> Pairs:
    """Components of so many same-person and so many different-person pairs, two people each, the rows by lot."""
    ends: list[tuple[int, int]] = []
    person: list[int] = []
    for block, (same, different) in enumerate(blocks):
        at, pictures = len(person), max(2, same + 1, different)
        person += [2 * block] * pictures + [2 * block + 1] * pictures
        ends += [(at, at + 1 + k) for k in range(same)] + [(at + k, at + pictures + k) for k in range(different)]
    first, second = np.random.default_rng(seed).permutation(np.array(ends)).T
    who, names = np.array(person), np.array([f"p{n}" for n in range(len(person))])
    images = Dataset(
        names, np.zeros((len(names), 1, 2, 2), np.uint8), np.zeros((len(names), 0, 2)), Schema("x", ()), "d"
    )
    return Pairs(
        images=images,
        people=np.array([f"Person_{n}" for n in range(2 * len(blocks))]),
        person=who,
        first=first,
        second=second,
        same=np.asarray(who[first] == who[second]),
        ids=np.array([f"{a} {b}" for a, b in zip(first, second, strict=True)]),
        places=np.array([f"pairs.txt:{row + 2}" for row in range(len(first))]),
        fold=fold,
        protocol="made view",
        alignment="none",
        digest="d",
    )


def held(pairs: Pairs, fold: Ints, count: int) -> Ints:
    """(count, 2) same-person and other pairs of each fold."""
    return np.array([[pairs.same[fold == k].sum(), (~pairs.same[fold == k]).sum()] for k in range(count)])


def random_blocks(groups: int, seed: int) -> list[tuple[int, int]]:
    rng = np.random.default_rng(seed)
    return [
        (int(a), int(b) + (a == 0)) for a, b in zip(rng.poisson(1.4, groups), rng.poisson(1.2, groups), strict=True)
    ]


@pytest.mark.parametrize(("groups", "count"), [(5, 5), (7, 3), (40, 4), (211, 5), (211, 10)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_nobody_stands_in_two_folds_and_no_fold_is_empty(groups: int, count: int, seed: int) -> None:
    pairs = made(random_blocks(groups, seed), seed)
    folds = make(pairs, count, seed)
    assert folds.fold.shape == (len(pairs),)
    assert sorted(set(folds.fold.tolist())) == list(range(count))
    everyone = [set(pairs.pair_people[folds.fold == k].ravel().tolist()) for k in range(count)]
    assert sum(map(len, everyone)) == len(set().union(*everyone))
    assert own_leak(pairs, folds.fold) == 0
    assert (folds.count, folds.digest) == (count, pairs.digest)


@pytest.mark.parametrize("blocks", [[(3, 0), (0, 3)], [(9, 0), (0, 1), (0, 1)], [(1, 0)] * 2 + [(0, 1)] * 3])
def test_folds_of_one_kind_are_better_than_an_empty_one(blocks: list[tuple[int, int]]) -> None:
    for seed in range(5):
        assert (held(made(blocks), make(made(blocks), len(blocks), seed).fold, len(blocks)).sum(1) > 0).all()


@pytest.mark.parametrize(
    ("same", "different", "count"), [(40, 40, 5), (44, 41, 5), (43, 39, 5), (38, 47, 3), (99, 58, 10)]
)
def test_folds_are_as_even_as_whole_pairs_can_be(same: int, different: int, count: int) -> None:
    rng = np.random.default_rng([same, different])
    blocks = [(1, 0)] * 9 + [(0, 1)] * 9 + [(2, 1)] * 5
    left = np.array([same, different]) - np.array(blocks).sum(0)
    while left.any():
        block = np.minimum(left, rng.integers(0, 4, 2))
        if block.any():
            blocks.append((int(block[0]), int(block[1])))
            left = left - block
    pairs = made(blocks)
    for seed in range(3):
        of_fold = held(pairs, make(pairs, count, seed).fold, count)
        assert of_fold.sum(0).tolist() == [same, different]
        assert (of_fold.max(0) - of_fold.min(0) <= 1).all(), of_fold.tolist()
        assert (of_fold.max(0) == of_fold.min(0)).tolist() == [same % count == 0, different % count == 0]


def test_one_seed_is_one_split() -> None:
    pairs = made(random_blocks(60, 4))
    one, again, other = (make(pairs, 4, seed).fold for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_components_join_people_through_others() -> None:
    pairs = made([(1, 1), (2, 0), (0, 1)])
    chained = made([(1, 1), (1, 1), (1, 1)])
    group = components(pairs)
    assert len(set(group.tolist())) == 3
    people = pairs.pair_people // 2
    assert all(len(set(group[people[:, 0] == block].tolist())) == 1 for block in range(3))
    linked = replace(chained, person=np.where(chained.person == 3, 1, chained.person))  # the second block's other is 1
    assert len(set(components(linked).tolist())) == 2


def test_fewer_groups_than_folds_are_refused() -> None:
    with pytest.raises(DataError, match="7 pairs join their people into 2 groups, too few for 3 folds") as caught:
        make(made([(3, 1), (1, 2)]), 3, 0)
    assert caught.value.hint == "set folds.count to 2"
    with pytest.raises(DataError, match="1 groups"):
        make(made([(3, 1)]), 2, 0)


def test_given_folds_are_taken_as_they_are_or_refused() -> None:
    pairs = made([(2, 1), (1, 2), (3, 2)])
    given = np.asarray(pairs.pair_people[:, 0] // 2)
    folds = make(replace(pairs, fold=given), 3, 0)
    assert np.array_equal(folds.fold, given)
    with pytest.raises(UsageError, match=r"made view has 3 folds of its own, folds\.count is 5"):
        make(replace(pairs, fold=given), 5, 0)
    row = int(np.flatnonzero(given == 0)[-1])
    other = int(np.flatnonzero(given == 0)[0])
    moved = given.copy()
    moved[row] = 2
    person = pairs.pair_people[row, 0]
    with pytest.raises(LeakError) as caught:
        make(replace(pairs, fold=moved), 3, 0)
    assert caught.value.message == (
        f"Person_{person} stands in fold 0 (pairs.txt:{other + 2}) and in fold 2 (pairs.txt:{row + 2})"
    )


def by_looking(pairs: Pairs, fold: Ints) -> float:
    seen = 0
    for row in range(len(pairs)):
        others = {p for at in range(len(pairs)) if fold[at] != fold[row] for p in pairs.pair_people[at].tolist()}
        seen += bool(others & set(pairs.pair_people[row].tolist()))
    return seen / len(pairs)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_leak_is_the_share_of_pairs_with_a_person_of_another_fold(seed: int) -> None:
    pairs = made(random_blocks(23, seed))
    fold = np.random.default_rng(seed).integers(0, 4, len(pairs))
    assert own_leak(pairs, fold) == pytest.approx(by_looking(pairs, fold))
    assert 0 < own_leak(pairs, fold) < 1


def test_a_naive_split_leaks_as_much_as_splits_by_hand_do() -> None:
    pairs = made(random_blocks(31, 3))
    rng, shares = np.random.default_rng(9), []
    for _ in range(25):
        fold = np.zeros(len(pairs), dtype=np.int64)
        for kind in (pairs.same, ~pairs.same):
            rows = rng.permutation(np.flatnonzero(kind))
            for turn, row in enumerate(rows):
                fold[row] = turn % 3
        shares.append(by_looking(pairs, fold))
    assert naive_leak(pairs, 3, 0, draws=60) == pytest.approx(np.mean(shares), abs=0.05)
    assert naive_leak(pairs, 3, 1) == naive_leak(pairs, 3, 1)
    apart = made([(1, 0), (0, 1)] * 5)
    assert naive_leak(apart, 3, 0) == 0


def test_lfw_is_split_into_five_folds_of_exactly_220_and_220() -> None:
    folder = os.environ.get("KPTOOL_DATA_LFW")
    if not folder:
        pytest.skip("KPTOOL_DATA_LFW names no folder")
    pairs, notes = read_train(lfw(), Path(folder), DataOptions(), 0, 5)
    sizes = np.bincount(components(pairs))
    assert (len(pairs), notes, len(sizes), sizes.max()) == (2200, [], 1032, 21)
    for seed in range(4):
        fold = make(pairs, 5, seed).fold
        assert held(pairs, fold, 5).tolist() == [[220, 220]] * 5
        assert own_leak(pairs, fold) == 0
    assert naive_leak(pairs, 5, 0) == pytest.approx(0.68, abs=0.02)
