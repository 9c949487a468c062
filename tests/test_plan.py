"""The plan does every epoch once, in order, with no fold in two places, in the shortest time there is."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from kptool.engine.plan import plan

CASES = [
    ({0: 16, 1: 16, 2: 16, 3: 16, 4: 16}, 16, 2),
    ({0: 16, 1: 16, 2: 16, 3: 16, 4: 16}, 16, 4),
    ({0: 3}, 3, 8),
    ({2: 7, 5: 7, 6: 7}, 7, 2),
    ({0: 0, 1: 5, 2: 16, 3: 1}, 16, 3),
    ({0: 0, 3: 0}, 9, 2),
    (dict.fromkeys(range(7), 1), 1, 3),
]
GENERATOR = np.random.default_rng(0)
CASES += [
    ({k: int(GENERATOR.integers(0, 12)) for k in range(int(GENERATOR.integers(1, 9)))}, 12, workers)
    for workers in (1, 2, 3, 5)
    for _ in range(20)
]


@pytest.mark.parametrize(("left", "epochs", "workers"), CASES)
def test_every_epoch_once_and_in_the_shortest_time(left: dict[int, int], epochs: int, workers: int) -> None:
    queues = plan(left, epochs, workers)
    assert 1 <= len(queues) <= workers
    shortest = max(max(left.values()), -(-sum(left.values()) // workers), 1)
    spans: dict[int, list[tuple[int, int, int, int]]] = {}
    for queue in queues:
        clock = 0
        for part in queue:
            length = part.until - part.start
            spans.setdefault(part.fold, []).append((clock, clock + length, part.start, part.until))
            clock += length
        assert clock <= shortest
    assert set(spans) == set(left)
    for fold, parts in spans.items():
        parts.sort()
        assert parts[0][2] == epochs - left[fold]
        assert parts[-1][3] == epochs
        for (_, end, _, until), (begin, _, start, _) in pairwise(parts):
            assert begin >= end, "two processes would hold one fold"
            assert start == until


def test_five_folds_on_two_cores_take_the_time_of_two_and_a_half() -> None:
    queues = plan(dict.fromkeys(range(5), 16), 16, 2)
    assert [sum(part.until - part.start for part in queue) for queue in queues] == [40, 40]
