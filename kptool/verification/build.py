"""From what a cross-validation of pairs hands over to the figures of its report. Nothing here draws anything."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from kptool.pair_files import CLASSICAL
from kptool.pair_folds import leaking
from kptool.verification.figures import calibration, curve, figures, folds, histogram, spans
from kptool.verification.judged import judge
from kptool.verification.outcome import PairOutcome
from kptool.verification.rows import people, surest
from kptool.verification.values import PairAbout, PairCurve, PairReport
from kptool.verification.warnings import warn


def build(outcome: PairOutcome) -> PairReport:
    """Judge the pairs that were scored; the same whatever order they stand in.

    Raises:
        DataError: no pair is scored.
    """
    model = judge(outcome, outcome.score)
    classical = judge(outcome, outcome.classical) if np.isfinite(outcome.classical[model.row]).all() else None
    own, other, gain = spans(model, classical)
    report = PairReport(
        about=_about(outcome),
        model=figures("model", model, *own),
        classical=None if classical is None else figures(CLASSICAL, classical, *other),
        gain=math.nan if classical is None else float(model.right.mean() - classical.right.mean()),
        gain_low=gain[0],
        gain_high=gain[1],
        folds=folds(model, classical),
        roc=curve(model),
        classical_roc=None if classical is None else curve(classical),
        histogram=histogram(model),
        calibration=calibration(model),
        hardest=surest(outcome, model, right=False),
        surest=surest(outcome, model, right=True),
        people=people(outcome, model),
        curves=_curves(outcome),
        warnings=(),
    )
    return replace(report, warnings=warn(report, model))


def _about(outcome: PairOutcome) -> PairAbout:
    return PairAbout(
        title=outcome.title,
        run=outcome.run,
        recipe=outcome.recipe_name,
        recipe_digest=outcome.recipe_digest,
        data_digest=outcome.data_digest,
        protocol=outcome.protocol,
        alignment=outcome.alignment,
        pairs=len(outcome.ids),
        scored=int((outcome.fold >= 0).sum()),
        same=int(outcome.same.sum()),
        images=len(outcome.images),
        people=len(outcome.people),
        groups=len(np.unique(outcome.group)),
        naive_leak=outcome.naive_leak,
        own_leak=_leak(outcome),
        size=outcome.size,
        views=outcome.views,
        keep=outcome.keep,
        device=outcome.device,
        precision=outcome.precision,
        parameters=outcome.parameters,
        seconds=outcome.seconds,
        pairs_per_second=outcome.pairs_per_second,
        stopped_early=_stopped_early(outcome),
    )


def _stopped_early(outcome: PairOutcome) -> bool:
    if outcome.recipe is None or not outcome.recipe.train.patience:
        return False
    return any(rows and rows[-1].epoch < outcome.recipe.train.epochs for rows in outcome.history.values())


def _leak(outcome: PairOutcome) -> float:
    people = np.stack([outcome.person[outcome.first], outcome.person[outcome.second]], axis=1)
    return float(leaking(people, outcome.fold)[outcome.fold >= 0].mean())


def _curves(outcome: PairOutcome) -> tuple[PairCurve, ...]:
    out = []
    for fold, rows in sorted(outcome.history.items()):
        eers = tuple(math.nan if row.heldout is None else row.heldout for row in rows)
        known = [(eer, row.epoch) for eer, row in zip(eers, rows, strict=True) if not math.isnan(eer)]
        if rows:
            best = min(known)[1] if known else None
            out.append(PairCurve(fold, tuple(r.epoch for r in rows), tuple(r.loss for r in rows), eers, best))
    return tuple(out)
