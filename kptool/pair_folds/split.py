"""Folds that keep people apart: whoever is joined by pairs is held out together, and nobody stands in two folds."""

from __future__ import annotations

import numpy as np

from kptool.dataset import Ints
from kptool.duplicates import connect
from kptool.errors import DataError, LeakError, UsageError
from kptool.folds import Folds
from kptool.pair_folds.packing import pack
from kptool.pairs import Pairs


def components(pairs: Pairs) -> Ints:
    """(P,) pairs whose people are joined by pairs, directly or through others, share a number from 0.

    Equal pictures (`images.groups`) join their people as well: one picture under two names is one face.
    """
    edges = pairs.pair_people
    if pairs.images.groups is not None:
        _, first, inverse = np.unique(pairs.images.groups, return_index=True, return_inverse=True)
        equal = np.stack([pairs.person[first[inverse.reshape(-1)]], pairs.person], axis=1)
        edges = np.concatenate([edges, equal])
    return _numbered(pairs, edges)


def make(pairs: Pairs, count: int, seed: int) -> Folds:
    """Split pairs so that no person stands in two folds, with nothing thrown away.

    Folds that the list itself gives, and blocks that pairs were drawn in, are taken as they are. Otherwise whole
    components are packed into folds, with as many pairs of one person, and as many of two, in each: see `uneven`.

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
        return Folds(pairs.fold, count, _numbered(pairs, pairs.pair_people), pairs.digest)
    group = components(pairs)
    groups = int(group.max()) + 1
    if groups < count:
        raise DataError(
            f"{len(pairs)} pairs join their people into {groups} groups, too few for {count} folds",
            f"set folds.count to {groups}" if groups > 1 else "bring pairs of people who are not all joined",
        )
    kinds = np.stack([np.bincount(group[of_kind], minlength=groups) for of_kind in (pairs.same, ~pairs.same)], axis=1)
    fold = pack(kinds, count, np.random.default_rng(seed))
    return Folds(fold[group], count, group, pairs.digest)


def uneven(pairs: Pairs, folds: Folds) -> str:
    """What to tell where folds do not hold as many pairs of each kind as they could; empty where they do.

    Numbers that `folds.count` does not divide make a difference of one, which is not told.
    """
    kinds = {"of one person": pairs.same, "of two people": ~pairs.same}
    held = {name: np.bincount(folds.fold[rows], minlength=folds.count) for name, rows in kinds.items()}
    if all(np.ptp(numbers) <= 1 for numbers in held.values()):
        return ""
    told = " and ".join(f"{numbers.min()} to {numbers.max()} pairs {name}" for name, numbers in held.items())
    return f"folds hold {told}: people joined by pairs must not part"


def _numbered(pairs: Pairs, edges: Ints) -> Ints:
    person = connect(len(pairs.people), edges)
    _, group = np.unique(person[pairs.person[pairs.first]], return_inverse=True)
    return np.asarray(group.reshape(-1), dtype=np.int64)


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
