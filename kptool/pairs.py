"""Pairs of pictures, as read: who is on each, and whether a pair shows one person. Frozen, numpy only."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from kptool.dataset import Dataset, Ints, Mask, Names

UNKNOWN: Final = "alignment not known"
"""The alignment of pictures of which nothing tells it."""


@dataclass(frozen=True)
class Pairs:
    """P pairs over N distinct pictures of M people.

    Attributes:
        images: the N pictures, without points (K = 0); ids such as Aaron_Peirsol_0001.
        people: (M,) names, unique.
        person: (N,) who is on each picture, an index into `people`.
        first, second: (P,) pictures of each pair, indices into `images`, never the same one.
        same: (P,) True where a pair shows one person; it always equals person[first] == person[second].
        ids: (P,) unique; what messages, reports and submissions call a pair: "Aaron_Peirsol 1 2" or
            "AJ_Cook 1 Marsha_Thomason 1".
        places: (P,) where a pair was read, such as "pairsDevTrain.txt:2"; empty text for a pair that was drawn.
        fold: (P,) the fold that the file itself gives a pair, from 0; None where it gives none.
        protocol: what the pairs are, for the score line: "LFW view 1".
        alignment: how the pictures were brought into place, for the score line: "LFW-a".
        digest: hex digest over files and pairs; what caches, folds and runs are keyed by.
    """

    images: Dataset
    people: Names
    person: Ints
    first: Ints
    second: Ints
    same: Mask
    ids: Names
    places: Names
    fold: Ints | None
    protocol: str
    alignment: str
    digest: str

    def __post_init__(self) -> None:
        pairs, images = len(self.ids), len(self.images)
        assert self.person.shape == (images,), self.person.shape
        assert self.first.shape == self.second.shape == self.same.shape == self.places.shape == (pairs,)
        assert len(np.unique(self.ids)) == pairs, "a pair stands there twice"
        assert (self.first != self.second).all(), "a pair of one picture"
        assert (self.same == (self.person[self.first] == self.person[self.second])).all(), "same is not as people say"
        assert self.fold is None or self.fold.shape == (pairs,), self.fold.shape

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def pair_people(self) -> Ints:
        """(P, 2) the persons of each pair, indices into `people`."""
        return np.stack([self.person[self.first], self.person[self.second]], axis=1)

    def take(self, index: npt.ArrayLike) -> Pairs:
        """The pairs of `index` (int or bool), in its order, over the same pictures; the digest says which they are."""
        rows = np.arange(len(self))[index]  # type: ignore[index]
        digest = hashlib.sha256(self.digest.encode() + rows.astype("<i8").tobytes()).hexdigest()
        return replace(
            self,
            first=self.first[rows],
            second=self.second[rows],
            same=self.same[rows],
            ids=self.ids[rows],
            places=self.places[rows],
            fold=None if self.fold is None else self.fold[rows],
            digest=digest,
        )
