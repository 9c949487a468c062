"""Pairs drawn from a folder of a person each, as the AT&T (ORL) faces come: balanced, with a seed, and splittable."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kptool.dataset import Ints
from kptool.errors import DataError, MissingFileError
from kptool.photos import SUFFIXES


class Drawn(NamedTuple):
    """P pairs over N pictures.

    Attributes:
        files: N names relative to the root, person by person.
        names: M persons, the folders' names.
        person: (N,).
        first, second: (P,) pictures; first < second.
        fold: (P,) the block that each pair was drawn in.
        left_out: folders' names with one picture alone, or none.
    """

    files: list[str]
    names: list[str]
    person: Ints
    first: Ints
    second: Ints
    fold: Ints
    left_out: list[str]


def draw(root: Path, each: int, blocks: int, seed: int) -> Drawn:
    """Draw pairs: up to `each` of every person with itself, and in each block as many of different people.

    People are dealt into blocks first, and different people are only paired within a block: otherwise the pairs would
    join all people into one chain, and no folds could keep persons apart. The blocks are the folds.

    Args:
        root: a folder with a folder of pictures for each person; persons with fewer than two pictures are left out.
        each: same-person pairs of one person at most.
        blocks: how many folds there will be.
        seed: one seed, one set of pairs.

    Raises:
        MissingFileError: no such folder.
        DataError: too few people, or too few pictures of different people for a balanced block.
    """
    files, names, person, left_out = _people(root)
    if len(names) < 2 * blocks:
        raise DataError(
            f"{root}: {len(names)} people with two pictures or more, but {blocks} folds need two people each",
            f"set folds.count to {len(names) // 2}" if len(names) >= 4 else "bring pictures of more people",
        )
    generator = np.random.default_rng(seed)
    own = [np.flatnonzero(person == p) for p in range(len(names))]
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
    return Drawn(files, names, person, found[:, 0], found[:, 1], np.concatenate(fold), left_out)


def _people(root: Path) -> tuple[list[str], list[str], Ints, list[str]]:
    if not root.is_dir():
        raise MissingFileError(f"{root}: no such folder", "check --data")
    files, names, person, left_out = list[str](), list[str](), list[int](), list[str]()
    for folder in sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith(".")):
        own = sorted(entry.name for entry in folder.iterdir() if entry.suffix.lower() in SUFFIXES)
        if len(own) > 1:
            files += [f"{folder.name}/{name}" for name in own]
            person += [len(names)] * len(own)
            names.append(folder.name)
        else:
            left_out.append(folder.name)
    if not names:
        raise DataError(f"{root}: no folder with two pictures of a person in it", "give a folder of a person each")
    return files, names, np.array(person, dtype=np.int64), left_out


def _some_of_one(pictures: Ints, each: int, generator: np.random.Generator) -> Ints:
    every = np.array(list(combinations(pictures.tolist(), 2)), dtype=np.int64)
    return every[np.sort(generator.permutation(len(every))[:each])]


def _deal(weights: list[int], blocks: int, generator: np.random.Generator) -> list[list[int]]:
    """People into blocks of about equal weight: the heaviest first, each to the lightest block with fewest people."""
    out: list[list[int]] = [[] for _ in range(blocks)]
    order = generator.permutation(len(weights))
    for person in sorted(order.tolist(), key=lambda p: -weights[p]):
        lightest = min(range(blocks), key=lambda b: (sum(weights[p] for p in out[b]), len(out[b]), b))
        out[lightest].append(person)
    return out


def _different(own: list[Ints], wanted: int, generator: np.random.Generator) -> Ints:
    """(n, 2) pairs of different people, each pair of pictures once; people take turns, so all appear about equally.

    Fewer than `wanted` where there are no more.
    """
    meetings = list(combinations(range(len(own)), 2))
    left = {m: generator.permutation(len(own[m[0]]) * len(own[m[1]])).tolist() for m in meetings}
    out: list[tuple[int, int]] = []
    while len(out) < wanted and any(left.values()):
        for number in generator.permutation(len(meetings)):
            a, b = meetings[int(number)]
            if left[a, b] and len(out) < wanted:
                at = left[a, b].pop()
                out.append((int(own[a][at // len(own[b])]), int(own[b][at % len(own[b])])))
    return np.array(out, dtype=np.int64).reshape(-1, 2)
