"""Runs against one of them: each pair on the images and labels that both have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from kptool.compare.overlap import Overlap, overlap, within
from kptool.compare.read import Entry
from kptool.compare.values import Difference
from kptool.compare.verdict import word
from kptool.report.bootstrap import interval, resample
from kptool.report.scored import scored
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
    found = [sums(one).take(np.argsort(one.outcome.ids)) for one in each]  # in the order of the overlap
    drawn, values = resample(found, common.group, seed=seed), [one.leading(one.errors) for one in each]
    told = found[0].count > 0
    groups = len(np.unique(common.group[told]))
    for row, place in enumerate(others, 1):
        low, high = interval(drawn[row] - drawn[0])
        yield Difference(
            name=entries[place].name,
            value=values[row],
            base=values[0],
            difference=values[row] - values[0],
            low=low,
            high=high,
            images=int(told.sum()),
            values=int(np.isfinite(each[row].errors).sum()),
            groups=groups,
            word=word(low, high, groups),
        )
