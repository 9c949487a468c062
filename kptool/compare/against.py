"""Runs against one of them: each pair on the images and labels that both have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from kptool.compare.overlap import Overlap, overlap, within
from kptool.compare.read import Entry
from kptool.compare.values import Difference
from kptool.compare.verdict import word
from kptool.dataset import Ints, Mask
from kptool.duplicates import unite
from kptool.report.bootstrap import interval, resample
from kptool.report.scored import Scored, scored
from kptool.report.sums import sums


def differences(entries: Sequence[Entry], base: int, seed: int) -> Iterator[Difference]:
    """Each run against the base on what both have; runs that share it share the draws too."""
    others = [place for place in range(len(entries)) if place != base]
    shared = {place: overlap([entries[base], entries[place]]) for place in others}
    done: dict[int, Difference] = {}
    for place in others:
        if place not in done:
            alike = [p for p in others if shared[p].same_as(shared[place])]
            done |= dict(zip(alike, _against(entries, base, alike, shared[place], seed), strict=True))
    yield from (done[place] for place in others)


def _against(
    entries: Sequence[Entry], base: int, others: Sequence[int], common: Overlap, seed: int
) -> Iterator[Difference]:
    each = [scored(within(entries[place].outcome, common)) for place in (base, *others)]
    yield from held([entries[place].name for place in others], each, common.group, seed)


def held(
    names: Sequence[str], each: Sequence[Scored], group: Ints, seed: int, rows: Mask | slice = slice(None)
) -> Iterator[Difference]:
    """Runs against the first of them, on some of the images that all of them have.

    Args:
        names: of all runs but the first.
        each: scored on the same n images and labels, each in an order of its own.
        group: (n,) which images are drawn together, in the order of the images' names.
        rows: (n,) which images, in the same order. One of them must have a label.
    """
    group = unite(group[rows])  # numbered as if there were no other images: then the draws are those of these alone
    own = [np.argsort(one.outcome.ids)[rows] for one in each]
    found = [sums(one).take(some) for one, some in zip(each, own, strict=True)]
    values = [one.leading(one.errors, np.sort(some)) for one, some in zip(each, own, strict=True)]
    drawn, told = resample(found, group, seed=seed), found[0].count > 0
    groups = len(np.unique(group[told]))
    for row, name in enumerate(names, 1):
        low, high = interval(drawn[row] - drawn[0])
        yield Difference(
            name=name,
            value=values[row],
            base=values[0],
            difference=values[row] - values[0],
            low=low,
            high=high,
            images=int(told.sum()),
            values=int(np.isfinite(each[row].errors[own[row]]).sum()),
            groups=groups,
            word=word(low, high, groups),
        )
