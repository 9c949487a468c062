"""Groups of images that show one photo: the finest grouping that folds must not cut."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from kptool import lookalikes
from kptool.dataset import Ints
from kptool.geometry import Bytes


@dataclass(frozen=True)
class Groups:
    """Which images show one photo.

    Attributes:
        group: (N,) int, 0, 1, ... in order of first appearance.
        exact_distinct: number of images that differ in at least one byte.
        rows_in_exact_groups: images with at least one equal partner.
        near_pairs: pairs of distinct images found to be one photo.
        mirrored_pairs: pairs of distinct images found to be a photo and its mirror image.
    """

    group: Ints
    exact_distinct: int
    rows_in_exact_groups: int
    near_pairs: int
    mirrored_pairs: int

    @property
    def largest(self) -> int:
        """Rows in the largest group: a chain of look-alikes that swallows the set shows here."""
        return int(np.bincount(self.group).max(initial=0))


def find_groups(images: Bytes, near: bool) -> Groups:
    """Group images (N, C, H, W) uint8 by equal bytes and, with `near`, by look-alikes and mirrored copies too."""
    equal = _equal(images)
    _, first, counts = np.unique(equal, return_index=True, return_counts=True)
    none = np.empty((0, 2), dtype=np.int64)
    found = lookalikes.find(images[first]) if near else lookalikes.LookAlikes(none, none)
    alike = connect(len(first), np.concatenate([found.same, found.mirrored]))
    return Groups(
        group=alike[equal],
        exact_distinct=len(first),
        rows_in_exact_groups=int(counts[counts > 1].sum()),
        near_pairs=len(found.same),
        mirrored_pairs=len(found.mirrored),
    )


def connect(count: int, pairs: Ints) -> Ints:
    """(count,) the component of each node of a graph with edges (P, 2), numbered in order of first appearance."""
    graph = coo_array((np.ones(len(pairs), dtype=np.bool_), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, found = connected_components(graph, directed=False)
    _, first, inverse = np.unique(found, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return np.asarray(rank[inverse], dtype=np.int64)


def unite(*groupings: Ints) -> Ints:
    """(N,) the finest grouping in which rows that share a group in ANY of the given ones (N,) share one."""
    edges = []
    for grouping in groupings:
        _, first, inverse = np.unique(grouping, return_index=True, return_inverse=True)
        edges.append(np.stack([first[inverse], np.arange(len(grouping))], axis=1))
    return connect(len(groupings[0]), np.concatenate(edges))


def _equal(images: Bytes) -> Ints:
    seen: dict[bytes, int] = {}
    digests = (hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest() for image in images)
    return np.fromiter((seen.setdefault(digest, len(seen)) for digest in digests), np.int64, len(images))
