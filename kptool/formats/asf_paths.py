"""Edges between points as an AAM shape file knows them: paths, on which every point connects to one other at most."""

from __future__ import annotations

from typing import NamedTuple

CLOSED, OPEN = 0, 4


class Way(NamedTuple):
    """What a shape file says of a point: its path, the path's type, the points before and after it or itself."""

    path: int
    type: int
    start: int
    end: int


def connections(count: int, edges: tuple[tuple[int, int], ...]) -> tuple[list[Way], int]:
    """Each point's Way, and how many edges are left over, as few as can be.

    An edge is turned around where its first point is taken. Paths are numbered by their first points.
    """
    owner = _owners(edges)
    after = {k: sum(edges[i]) - k for k, i in owner.items()}
    left = len(edges) - len(owner)
    before: dict[int, int] = {}
    for a, b in sorted(after.items()):
        before.setdefault(b, a)
    paths = _paths(count, after)
    numbers = {path: i for i, path in enumerate(dict.fromkeys(paths))}
    whole = {path for path in numbers if all(k in after and k in before for k in range(count) if paths[k] == path)}
    return [
        Way(numbers[path], CLOSED if path in whole else OPEN, before.get(k, k), after.get(k, k))
        for k, path in enumerate(paths)
    ], left


def _owners(edges: tuple[tuple[int, int], ...]) -> dict[int, int]:
    """The edge of each point that has one: as many edges as can have a point of their own (bipartite matching)."""
    owner: dict[int, int] = {}
    real = [i for i, (a, b) in enumerate(edges) if a != b]
    rest = [i for i in real if owner.setdefault(edges[i][0], i) != i]

    def place(i: int, tried: set[int]) -> bool:
        for k in sorted(edges[i], key=lambda k: k in owner):
            if k not in tried:
                tried.add(k)
                if k not in owner or place(owner[k], tried):
                    owner[k] = i
                    return True
        return False

    for i in rest:
        place(i, set())
    return owner


def _paths(count: int, after: dict[int, int]) -> list[int]:
    """The lowest point that each is joined to, however far."""
    lowest = list(range(count))

    def root(k: int) -> int:
        while lowest[k] != k:
            k = lowest[k]
        return k

    for a, b in after.items():
        low, high = sorted((root(a), root(b)))
        lowest[high] = low
    return [root(k) for k in range(count)]


def joins(left: int, edges: int) -> list[str]:
    """What is told of edges that no path takes; nothing where all are on one."""
    return [f"asf cannot hold {left} of {edges} edges: a point connects to one other at most"] if left else []
