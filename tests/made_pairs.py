"""The outcome of a cross-validation of pairs that never ran: scores made to order, on sizes that fit nothing."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np

from kptool.config import Recipe
from kptool.dataset import Ints, Mask
from kptool.engine.history import Epoch
from kptool.geometry import Floats
from kptool.verification.outcome import PairOutcome

CYCLE = (2, 1, 1, 1)  # people of one group after another: singles stand in pairs of one person only
Two = tuple[int, int]


def made_pairs(
    pairs: int = 46, people: int = 13, folds: int = 3, seed: int = 0, separation: float = 1.5, classical: bool = True
) -> PairOutcome:
    """Half of the pairs (rounded down) show one person; groups of people never part over folds; rows are shuffled.

    Args:
        people: 13 make 10 groups; at least 4 for each fold, so that every one has pairs of both kinds.
        separation: of the two kinds' mean scores, in standard deviations; the classical scores have half of it.
        classical: False = NaN, as where no baseline was made.
    """
    generator = np.random.default_rng(seed)
    groups = _groups(people)
    group, pictures = _group_of(groups), 3
    while min(map(len, _candidates(groups, people, pictures))) < (pairs + 1) // 2:
        pictures += 1
    person = np.concatenate([np.full(pictures + k % 2, k) for k in range(people)])
    kinds, wanted = _candidates(groups, people, pictures), (pairs // 2, pairs - pairs // 2)
    drawn = [_drawn(np.array(each), person, n, generator) for each, n in zip(kinds, wanted, strict=True)]
    ends = generator.permutation(np.concatenate(drawn))
    names = np.array([f"Person_{k:02d}_{n:04d}" for k in range(people) for n in range(1, pictures + k % 2 + 1)])
    first, second = ends.T
    same = np.asarray(person[first] == person[second])
    fold = _folds(groups, folds)[group[person[first]]]
    assert all(0 < same[fold == k].mean() < 1 for k in range(folds)), "too few people for so many folds"
    return PairOutcome(
        title="Made pairs",
        run="20260131-120000-made",
        recipe_name="made",
        recipe_digest="28d5d7042a35ffff",
        data_digest="eeedbc68b20b0000",
        protocol="made view, image-restricted",
        alignment="cut by hand",
        size=(44, 36),
        ids=np.array([f"{a} {b}" for a, b in zip(names[first], names[second], strict=True)]),
        images=names,
        people=np.array([f"Person_{k:02d}" for k in range(people)]),
        person=person,
        first=first,
        second=second,
        same=same,
        score=separation * same + generator.normal(0, 1, pairs),
        classical=_classical(same, separation, generator) if classical else np.full(pairs, np.nan),
        fold=fold,
        group=group[person[first]],
        naive_leak=0.61,
        seconds=12.5,
        pairs_per_second=311.0,
        device="cpu",
        precision="fp32",
        keep="last",
        views="plain",
        parameters=12_345,
        history={k: made_history(k) for k in range(folds)},
        recipe=Recipe(),
    )


def made_history(fold: int, last: float = 21.0) -> list[Epoch]:
    """Four epochs; the held-out EER in % is known of the second and of the last."""
    eer = {2: 30.0 + fold, 4: last + fold}
    return [Epoch(e, 1.0 / e, eer.get(e), 2.5 * e, 311.0) for e in range(1, 5)]


def _groups(people: int) -> list[list[int]]:
    """Who is joined with whom: groups of the sizes of CYCLE until nobody is left."""
    out: list[list[int]] = []
    at = 0
    while at < people:
        size = CYCLE[len(out) % len(CYCLE)]
        out.append(list(range(at, min(at + size, people))))
        at += size
    return out


def _group_of(groups: list[list[int]]) -> Ints:
    """(M,) the group of each person."""
    return np.array([k for k, group in enumerate(groups) for _ in group])


def _folds(groups: list[list[int]], folds: int) -> Ints:
    """(G,) the fold of each group; those with pairs of two people are dealt by themselves, so that each fold has some.

    The others are dealt the other way round, which makes folds of unequal size.
    """
    joined = np.array([len(group) > 1 for group in groups])
    out = np.zeros(len(groups), dtype=np.int64)
    out[joined] = np.arange(joined.sum()) % folds
    out[~joined] = (folds - 1 - np.arange((~joined).sum())) % folds
    return out


def _candidates(groups: list[list[int]], people: int, pictures: int) -> tuple[list[Two], list[Two]]:
    """All pairs of pictures of one person, and of two people of one group; odd people have a picture more."""
    counts = [pictures + k % 2 for k in range(people)]
    start = np.concatenate([[0], np.cumsum(counts)])
    own = [range(int(start[k]), int(start[k + 1])) for k in range(people)]
    same = [pair for k in range(people) for pair in combinations(own[k], 2)]
    return same, [pair for group in groups for a, b in combinations(group, 2) for pair in product(own[a], own[b])]


def _drawn(candidates: Ints, person: Ints, count: int, generator: np.random.Generator) -> Ints:
    """So many of the candidates (c, 2) by lot; the same people come again only after all the others."""
    shuffled = generator.permutation(candidates)
    _, who = np.unique(person[shuffled], axis=0, return_inverse=True)
    turn = np.array([(who[:at] == one).sum() for at, one in enumerate(who)])
    return shuffled[np.argsort(turn, kind="stable")[:count]]


def _classical(same: Mask, separation: float, rng: np.random.Generator) -> Floats:
    return 3 + 0.1 * (separation / 2 * same + rng.normal(0, 1, len(same)))
