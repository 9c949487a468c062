"""What the line of any run tells, whatever was scored: its settings, its training, and which runs are one recipe's."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from kptool.compare.read import Entry, PairEntry
from kptool.compare.settings import but_for_the_seed, differing
from kptool.compare.values import Line, Scores, Seeds
from kptool.config import flat


def keys_of(entries: Sequence[Entry | PairEntry]) -> tuple[str, ...]:
    """The settings that differ; an ensemble has none."""
    trained = [entry.run.recipe for entry in entries if entry.run.members is None]
    return differing(trained) if trained else ()


def line(
    entry: Entry | PairEntry,
    keys: Sequence[str],
    own: Scores,
    common: Scores,
    speed: float | None,
    loss: str,
    heldout: float,
) -> Line:
    """A run's line of the table.

    Args:
        keys: of the settings to tell.
        speed: images, or pairs, a second.
        loss: the training loss's name.
    """
    run, recipe, curves = entry.run, entry.run.recipe, [curve for curve in entry.curves if curve]
    # What stands for an ensemble's recipe is that of its first run, and tells nothing.
    table, loss = (flat(recipe), loss) if run.members is None else ({}, "")
    return Line(
        name=entry.name,
        path=run.path,
        recipe=entry.outcome.recipe_name,
        digest=entry.outcome.recipe_digest,
        seed=recipe.seed,
        settings={key: table[key] for key in keys if key in table},
        folds=(len(run.finished), recipe.folds.count),
        parameters=known(run.env.get("parameters")),
        epochs=mean([curve[-1].epoch for curve in curves]),
        loss=loss,
        train_loss=mean([curve[-1].loss for curve in curves]),
        heldout=heldout,
        own=own,
        common=common,
        seconds=known(entry.outcome.seconds),
        images_per_second=known(speed),
        device=entry.outcome.device,
        precision=entry.outcome.precision,
        keep=entry.outcome.keep,
    )


def last_heldout(entry: Entry | PairEntry) -> list[float]:
    """The last held-out figure of each fold that has one."""
    each = ([epoch.heldout for epoch in curve if epoch.heldout is not None] for curve in entry.curves)
    return [figures[-1] for figures in each if figures]


def seeds(entries: Sequence[Entry | PairEntry]) -> tuple[Seeds, ...]:
    """The groups of two or more seeds of one recipe; a seed that was run twice counts once."""
    groups: dict[str, dict[int, int]] = {}
    for place, entry in enumerate(entries):
        recipe = entry.run.recipe
        if entry.run.members is None:
            groups.setdefault(but_for_the_seed(recipe), {}).setdefault(recipe.seed, place)
    several = [list(places.values()) for places in groups.values() if len(places) > 1]
    return tuple(Seeds(f"{entries[p[0]].run.recipe.name}, {len(p)} seeds", tuple(p)) for p in several)


def known(value: float | None) -> float:
    """NaN for what is not known."""
    return math.nan if value is None else float(value)


def mean(values: Sequence[float]) -> float:
    """NaN for the mean of nothing."""
    return float(np.mean(values)) if len(values) else math.nan
