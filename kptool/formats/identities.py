"""Pairs drawn from a folder of a person each, as the AT&T (ORL) faces come: balanced, with a seed, and splittable."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kptool.dataset import Ints
from kptool.errors import DataError
from kptool.formats.lfw_folder import folders_in, pictures_in


class Drawn(NamedTuple):
    """P pairs over N pictures.

    Attributes:
        files: N names relative to the root, person by person.
        names: M persons, the folders' names.
        person: (N,).
        first, second: (P,) pictures; first < second.
        fold: (P,) the block that each pair was drawn in.
        alone: persons left out, for they have one picture only.
    """

    files: list[str]
    names: list[str]
    person: Ints
    first: Ints
    second: Ints
    fold: Ints
    alone: list[str]


def draw(root: Path, each: int, blocks: int, seed: int) -> Drawn:
    """Draw pairs: up to `each` of every person with itself, and in each block as many of different people.

    People are dealt into blocks first, and different people are only paired within a block: otherwise the pairs would
    join all people into one chain, and no folds could keep persons apart. The blocks are the folds.

    Args:
        root: a folder with a folder of pictures for each person; persons with one picture are left out.
        each: same-person pairs of one person at most.
        blocks: how many folds there will be.
        seed: one seed, one set of pairs.

    Raises:
        MissingFileError: no such folder.
        DataError: a folder without pictures, too few people, or too few pictures of different people for a balanced
            block.
    """
    every = _people(root)
    people = {name: own for name, own in every.items() if len(own) > 1}
    if len(people) < 2 * blocks:
        raise DataError(
            f"{root}: {len(people)} people with two pictures or more, but {blocks} folds need two people each",
            f"set folds.count to {len(people) // 2}" if len(people) >= 4 else "bring pictures of more people",
        )
    generator = np.random.default_rng(seed)
    person = np.repeat(np.arange(len(people)), [len(own) for own in people.values()])
    own = [np.flatnonzero(person == p) for p in range(len(people))]
    same = [_some_of_one(pictures, each, generator) for pictures in own]
    pairs, fold = list[Ints](), list[Ints]()
    for block, members in enumerate(_deal([len(one) for one in same], blocks, generator)):
        matched = np.concatenate([same[p] for p in members])
        others = _different([own[p] for p in members], len(matched), generator)
        if len(others) < len(matched):
            raise DataError(
                f"{root}: block {block} has {len(matched)} same-person pairs, only {len(others)} of different people",
                "lower data.pairs_per_person or folds.count",
            )
        pairs += [matched, others]
        fold.append(np.full(2 * len(matched), block, dtype=np.int64))
    found = np.sort(np.concatenate(pairs), axis=1)
    return Drawn(
        files=[f"{name}/{file}" for name, files in people.items() for file in files],
        names=list(people),
        person=person,
        first=found[:, 0],
        second=found[:, 1],
        fold=np.concatenate(fold),
        alone=[name for name in every if name not in people],
    )


def _people(root: Path) -> dict[str, list[str]]:
    """The pictures of each person, both in the order of their names."""
    out = {name: pictures_in(root / name) for name in folders_in(root)}
    empty = [name for name, files in out.items() if not files]
    if empty and len(empty) < len(out):
        raise DataError(f"{root / empty[0]}: no picture in this folder", "take the folder out, or put pictures there")
    if empty or not out:
        raise DataError(
            f"{root}: no folder with pictures of a person in it", "name a folder with a folder of each person"
        )
    return out


def _some_of_one(pictures: Ints, each: int, generator: np.random.Generator) -> Ints:
    """(n, 2) pairs of one person's pictures, n at most `each`, none of them twice."""
    every = np.array(list(combinations(pictures.tolist(), 2)), dtype=np.int64)
    return every[np.sort(generator.permutation(len(every))[:each])]


def _deal(weights: list[int], blocks: int, generator: np.random.Generator) -> list[list[int]]:
    """People into blocks of about equal weight, two at least in each: the heaviest first, to the lightest block."""
    out: list[list[int]] = [[] for _ in range(blocks)]
    load = [0] * blocks
    order = generator.permutation(len(weights))
    for dealt, person in enumerate(sorted(order.tolist(), key=lambda p: -weights[p])):
        short = [block for block in range(blocks) if len(out[block]) < 2]
        lacking = sum(2 - len(out[block]) for block in short)
        choice = short if lacking == len(weights) - dealt else range(blocks)
        lightest = min(choice, key=lambda block: (load[block], len(out[block]), block))
        out[lightest].append(person)
        load[lightest] += weights[person]
    return out


def _different(own: list[Ints], wanted: int, generator: np.random.Generator) -> Ints:
    """(n, 2) pairs of different people, each pair of pictures once; fewer than `wanted` where there are no more.

    Who has had the fewest turns comes next, with whoever of the others has, ties by lot: so all appear about equally.
    """
    turns = np.zeros(len(own), dtype=np.int64)
    left: dict[tuple[int, int], list[int]] = {}
    out: list[tuple[int, int]] = []
    active = list(range(len(own)))
    while len(out) < wanted and len(active) > 1:
        queue = [active[at] for at in np.lexsort((generator.random(len(active)), turns[active]))]
        a = queue[0]
        b = next((b for b in queue[1:] if _left(left, own, a, b, generator)), None)
        if b is None:
            active.remove(a)
            continue
        low, high = min(a, b), max(a, b)
        at = left[low, high].pop()
        out.append((int(own[low][at // len(own[high])]), int(own[high][at % len(own[high])])))
        turns[[a, b]] += 1
    return np.array(out, dtype=np.int64).reshape(-1, 2)


def _left(
    left: dict[tuple[int, int], list[int]], own: list[Ints], a: int, b: int, generator: np.random.Generator
) -> list[int]:
    """The pairs of pictures of two people that are still to be drawn, in an order by lot."""
    key = min(a, b), max(a, b)
    if key not in left:
        left[key] = generator.permutation(len(own[a]) * len(own[b])).tolist()
    return left[key]
