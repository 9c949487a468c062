"""From runs of pairs to the numbers of their comparison: accuracies, and which differences the pairs can show."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import takewhile

import numpy as np

from kptool.compare.lines import keys_of, last_heldout, line, mean, seeds
from kptool.compare.notes import notes
from kptool.compare.pairs_scores import HELDOUT, MEASURES, right, scores
from kptool.compare.pairs_shared import baselines, refuse_other_pairs, shared, within
from kptool.compare.read import PairEntry
from kptool.compare.settings import loss_name
from kptool.compare.values import Comparison, Difference, Line, Rows
from kptool.compare.verdict import word
from kptool.dataset import Mask
from kptool.duplicates import unite
from kptool.report.bootstrap import RESAMPLES, SEED, interval, resample
from kptool.report.sums import Sums


def compare_pairs(entries: Sequence[PairEntry], base: int = 0, rows: Rows = "common", seed: int = SEED) -> Comparison:
    """The table of runs of pairs, and each run against one of them; the baselines beside them come last in both.

    Args:
        entries: two or more runs of one competition.
        base: place of the run that the others are held against.
        rows: over which pairs the table shows scores: those common to all, or each run's own.
        seed: of the bootstrap.

    Raises:
        DataError: runs of different data, or without a pair in common.
    """
    for entry in entries:
        refuse_other_pairs(entries[base], entry)
    common, keys = shared(entries), keys_of(entries)
    beside, said = baselines(entries)
    every = [*entries, *(one.entry for one in beside)]
    trained = [_line(entry, keys, common) for entry in entries]
    found = tuple(_differences(every, base, seed))
    lines = (*trained, *(_baseline(one.entry, common) for one in beside))
    made = Comparison(
        competition=entries[0].run.found.competition.slug,
        title=entries[0].outcome.title,
        metric="accuracy",
        unit="%",
        normaliser=None,
        higher_is_better=True,
        pooled=False,
        step="% points",
        measures=MEASURES,
        heldout=HELDOUT,
        things="pairs",
        settings=keys,
        rows=rows,
        lines=lines,
        seeds=seeds(entries),
        base=base,
        differences=found,
        resamples=RESAMPLES,
        seed=seed,
        notes=(),
        protocol=_protocol(trained),
        alignment=entries[0].outcome.alignment,
    )
    return replace(made, notes=(*_judged(made, entries, common), *said, *notes(made)))


def _line(entry: PairEntry, keys: Sequence[str], common: Mask) -> Line:
    made, own = entry.outcome, scores(entry.outcome)
    alone = own if np.array_equal(common, made.fold >= 0) else scores(within(made, common))
    loss = loss_name(entry.run.recipe, auto="bce")
    found = line(entry, keys, own, alone, made.pairs_per_second, loss, mean(last_heldout(entry)))
    return replace(found, protocol=made.protocol)


def _baseline(entry: PairEntry, common: Mask) -> Line:
    """A line without a recipe; `path` is the run that the scores are taken from."""
    nan, own, folds = math.nan, scores(entry.outcome), len(entry.run.finished)
    alone = scores(within(entry.outcome, common))
    return Line(
        name=entry.name,
        path=entry.run.path,
        recipe="",
        digest="",
        seed=None,
        settings={},
        folds=(folds, folds),
        parameters=nan,
        epochs=nan,
        loss="",
        train_loss=nan,
        heldout=nan,
        own=own,
        common=alone,
        seconds=nan,
        images_per_second=nan,
        device="",
        precision="",
        keep="",
        baseline=True,
    )


def _differences(entries: Sequence[PairEntry], base: int, seed: int) -> Iterator[Difference]:
    for place, entry in enumerate(entries):
        if place != base:
            yield against(entries[base], entry, seed)


def against(base: PairEntry, other: PairEntry, seed: int = SEED) -> Difference:
    """A run against another: the accuracy over all pairs that both predicted, in % points, by a paired bootstrap.

    Groups of pairs are drawn; each fold's threshold, chosen on the other folds' pairs of both, is kept.
    """
    both = shared([base, other])
    own = [np.where(right(within(one.outcome, both))[both], 100.0, 0.0) for one in (base, other)]
    group = unite(base.outcome.group[both], other.outcome.group[both])
    drawn = resample([Sums(each, np.ones(len(each)), root=False) for each in own], group, seed=seed)
    low, high = interval(drawn[1] - drawn[0])
    first, second = (float(each.mean()) for each in own)
    pairs, groups = int(both.sum()), int(group.max()) + 1
    verdict = word(low, high, groups, higher_is_better=True, things="pairs")
    return Difference(other.name, second, first, second - first, low, high, pairs, pairs, groups, verdict)


def _protocol(lines: Sequence[Line]) -> str:
    """What all protocols begin with, up to a comma."""
    each = zip(*(one.protocol.split(", ") for one in lines), strict=False)
    return ", ".join(parts[0] for parts in takewhile(lambda parts: len(set(parts)) == 1, each))


def _judged(made: Comparison, entries: Sequence[PairEntry], common: Mask) -> Iterator[str]:
    """How the pairs were judged, and what is not alike in that."""
    about = ", ".join(filter(None, [made.protocol, made.alignment]))
    yield (
        f"Accuracy on {about}: the mean over folds, each judged by the threshold that is best on the other folds' "
        "scores; differences are of the accuracy over all pairs at once."
    )
    rules = list(dict.fromkeys(one.protocol for one in made.trained))
    if len(rules) > 1:
        each = (f"{', '.join(one.name for one in made.trained if one.protocol == rule)}: {rule}" for rule in rules)
        yield f"Not all runs learned by the same rules: {'; '.join(each)}."
    single = [e.name for e in entries if len(np.unique(e.outcome.fold[common])) == 1]
    if single:
        yield (
            f"Of {', '.join(single)} one fold alone is compared: its threshold is chosen on the pairs that it judges, "
            "which flatters."
        )
