"""Whole components into folds, so that every fold holds as many pairs of each kind: a search with a fixed end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from kptool.dataset import Ints
from kptool.geometry import Floats

COLD: Final = 200_000, 500  # steps that make nothing worse, at most; and for each component, of which a few need fewer
WARM: Final = 100_000, 4_000  # the same of each annealing, where that did not do
TRIES: Final = 4
MOVES: Final = 0.4  # share of steps that move one component; the others exchange two


def pack(kinds: Ints, count: int, generator: np.random.Generator) -> Ints:
    """(G,) a fold for each component, none of them empty; G >= count.

    The largest first, each to where it fits best; then moves and exchanges by lot, first only such as make nothing
    worse, then by simulated annealing (Kirkpatrick, Gelatt, Vecchi 1983), until the folds are as even as numbers can
    be. To find that always would be as hard as any packing; the search ends after a fixed number of steps and gives
    the most even folds that it saw.

    Args:
        kinds: (G, 2) pairs of one person and of two people in each component.
        count: folds.
    """
    state = _State.of(kinds, _greedy(kinds, count, generator), count)
    cold, warm = (min(most, each * len(kinds)) for most, each in (COLD, WARM))
    state.search(np.zeros(cold), generator)
    size = float((kinds**2).sum(1).mean())
    for _ in range(TRIES):
        state.search(count**2 * np.geomspace(max(0.2 * size, 0.3), 0.3, warm), generator)
    return np.array(state.best, dtype=np.int64)


def _greedy(kinds: Ints, count: int, generator: np.random.Generator) -> Ints:
    order = generator.permutation(len(kinds))
    order = order[np.argsort(-kinds[order].sum(1), kind="stable")]
    target = kinds.sum(0) / count
    fold, held = np.zeros(len(kinds), dtype=np.int64), np.zeros((count, 2), dtype=np.int64)
    for one in order:
        over = np.clip(held + kinds[one] - target, 0, None)
        cost = 1e6 * (over**2).sum(1) + ((held + kinds[one]) ** 2 - held**2).sum(1)
        best = int(np.argmin(cost))
        fold[one] = best
        held[best] += kinds[one]
    for empty in np.flatnonzero(np.bincount(fold, minlength=count) == 0):  # ties may leave one
        crowded = np.bincount(fold, minlength=count).argmax()
        fold[order[fold[order] == crowded][-1]] = empty
    return fold


@dataclass
class _State:
    """A packing while it is searched. Everything is in whole numbers: pairs times the number of folds.

    Attributes:
        kinds: of each component.
        fold: of each component.
        size: components in each fold.
        off: of each fold, its pairs of both kinds less an even share.
        cost: sum of squares of `off`; `least`: what it can be at best, where the count does not divide the pairs.
        best, lowest: the packing of lowest cost seen so far, and that cost.
    """

    kinds: list[list[int]]
    fold: list[int]
    size: list[int]
    off: list[list[int]]
    cost: int
    least: int
    best: list[int]
    lowest: int

    @classmethod
    def of(cls, kinds: Ints, fold: Ints, count: int) -> _State:
        held = np.stack([np.bincount(fold, kind, count) for kind in kinds.T], axis=1).astype(np.int64)
        total = kinds.sum(0)
        off = held * count - total
        rest = total % count  # so many folds hold one more
        cost, least = int((off**2).sum()), int((rest * (count - rest)).sum()) * count
        size = np.bincount(fold, minlength=count).tolist()
        folds = fold.tolist()
        return cls((kinds * count).tolist(), folds, size, off.tolist(), cost, least, list(folds), cost)

    def search(self, temperature: Floats, generator: np.random.Generator) -> None:
        """Take steps by lot, one for each temperature; one that costs more is taken with chance exp(-more / it)."""
        if self.lowest <= self.least:
            return
        steps = len(temperature)
        picks = generator.integers(len(self.kinds), size=(steps, 2)).tolist()
        moves = (generator.random(steps) < MOVES).tolist()
        slack = (temperature * generator.exponential(size=steps)).tolist()
        for (a, b), move, more in zip(picks, moves, slack, strict=True):
            if self.fold[a] != self.fold[b] and not (move and self.size[self.fold[a]] == 1):
                self._step(a, b, move, more)
                if self.lowest <= self.least:
                    return

    def _step(self, a: int, b: int, move: bool, slack: float) -> None:
        """Move component a to the fold of b, or exchange them, if that costs no more than `slack`."""
        here, there = self.fold[a], self.fold[b]
        same, different = self.kinds[a]
        if not move:
            same, different = same - self.kinds[b][0], different - self.kinds[b][1]
        source, target = self.off[here], self.off[there]
        change = 2 * (same * (target[0] - source[0] + same) + different * (target[1] - source[1] + different))
        if change > slack:
            return
        source[0], source[1] = source[0] - same, source[1] - different
        target[0], target[1] = target[0] + same, target[1] + different
        self.fold[a] = there
        if move:
            self.size[here], self.size[there] = self.size[here] - 1, self.size[there] + 1
        else:
            self.fold[b] = here
        self.cost += change
        if self.cost < self.lowest:
            self.lowest, self.best = self.cost, list(self.fold)
