"""Which process trains which fold, and when: 5 folds on 2 cores in the time of 2.5.

A fold can stop after any epoch and go on elsewhere with the same bytes, so folds are divisible work, and McNaughton's
wrap-around rule (Management Science 6(1), 1959) is optimal: lay the folds end to end, cut the line into equal shares.
A cut fold's early part is done first thing on one process, its late part last thing on the one before; as no fold is
longer than a share, the parts never overlap.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Slice(NamedTuple):
    """A fold, trained from one epoch up to another."""

    fold: int
    start: int
    until: int


def plan(left: Mapping[int, int], epochs: int, workers: int) -> list[list[Slice]]:
    """The slices of each worker, in order.

    Args:
        left: fold -> epochs still to train; 0 = only its predictions are missing.
        epochs: epochs of a whole fold.
        workers: processes side by side.

    Returns:
        At most `workers` lists. Every fold's last slice reaches `epochs`.
    """
    share = max(max(left.values(), default=0), -(-sum(left.values()) // workers), 1)
    out: list[list[Slice]] = [[]]
    room = share
    for fold, wanted in left.items():
        start = epochs - wanted
        early = max(0, wanted - room)  # what does not fit here is done before it, first thing on the next worker
        if room > 0 or wanted == 0:
            out[-1].append(Slice(fold, start + early, epochs))
        if early:
            out.append([Slice(fold, start, start + early)])
        room = share - early if early else room - wanted
    return [slices for slices in out if slices]
