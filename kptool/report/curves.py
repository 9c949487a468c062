"""The curves of a training: loss and held-out error of each fold, and the learning rate."""

from __future__ import annotations

from typing import Final

import numpy as np

from kptool.config import Recipe
from kptool.engine.schedule import schedule
from kptool.report.details import FoldCurve, Rates
from kptool.report.outcome import Outcome

STEPS: Final = 201


def curves(outcome: Outcome) -> tuple[FoldCurve, ...]:
    """One for each fold that has a history."""
    return tuple(
        FoldCurve(
            fold=fold,
            epochs=tuple(row.epoch for row in rows),
            loss=tuple(row.loss for row in rows),
            heldout=tuple(float("nan") if row.heldout is None else row.heldout for row in rows),
            seconds=tuple(row.seconds for row in rows),
        )
        for fold, rows in sorted(outcome.history.items())
        if rows
    )


def rates(outcome: Outcome) -> Rates | None:
    """The learning rate that the recipe asks for, up to the last epoch; None for an ensemble or without any epoch."""
    recipe = outcome.recipe
    if recipe is None or not recipe.train.epochs:
        return None
    last = max((rows[-1].epoch for rows in outcome.history.values() if rows), default=recipe.train.epochs)
    epochs = np.linspace(0, last, STEPS)
    fraction = [schedule(recipe.train, float(epoch) / recipe.train.epochs)[0] for epoch in epochs]
    return Rates(peaks(recipe), tuple(float(v) for v in epochs), tuple(fraction))


def peaks(recipe: Recipe) -> dict[str, float]:
    """The peak learning rate of each optimizer that the recipe uses, by its setting's name."""
    train = recipe.train
    muon = train.optimizer == "muon" or (train.optimizer == "auto" and recipe.model.backbone == "kptiny")
    return {"lr": train.lr, **({"muon_lr": train.muon_lr} if muon else {})}
