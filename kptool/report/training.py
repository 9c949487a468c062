"""What the curves of a training say went wrong, fold by fold; the middle fold decides, so no odd one does."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final

from kptool.config import Recipe
from kptool.engine.schedule import schedule
from kptool.report.details import FoldCurve, Remedy
from kptool.report.values import Report
from kptool.report.words import amount, count

WORSE: Final = 1.03  # last over best held-out error; evaluations of good runs differ by less where the rate is low
EARLY: Final = 0.8  # of the epochs: a best one after that is the last but for chance
STEADY: Final = 0.03  # share of the held-out error that the last quarter took off, under a rate that stayed high
DECAYED: Final = 0.5  # the same under a rate that fell: the fall alone brings up to 0.47 (IMM's nose), 0.2 on Kaggle's
SPIKE: Final = 2.0  # times the loss of the epoch before; a batch size of 1 brings 1.1
STUCK: Final = 0.5  # last loss over the first
NEAR: Final = 0.8  # of the mean shape's error: good runs end below 0.5
LOW: Final = 0.5  # of the peak: a learning rate under which evaluations no longer jump
FEW_EPOCHS: Final = 8  # a score after fewer may be that of a training that had not begun
USUAL: Final = {"rotate": 15.0, "scale": 0.12, "shift": 0.06, "contrast": 0.2}  # the recipe's defaults
LIMITS: Final = {"rotate": 45.0, "scale": 0.5, "shift": 0.3, "contrast": 0.6}  # beyond, faces are no longer faces


def learning_rate(report: Report, recipe: Recipe | None) -> Iterator[Remedy]:
    """A loss that jumps, or one that hardly falls while the model is hardly better than the mean shape."""
    curves = [curve for curve in report.curves if len(curve.loss) > 1]
    # A likelihood may be below 0, where a ratio says nothing.
    if recipe is None or not curves or min(min(curve.loss) for curve in curves) <= 0:
        return
    score = report.lead.score
    last = median(curve.loss[-1] / curve.loss[0] for curve in curves)
    if jump := _jump(curves):
        seen = jump
    elif last > STUCK and score.value > NEAR * score.mean_shape:
        seen = (
            f"The last epoch's loss is still {last:.2f} times the first's, and {amount(score.value, score.unit)} is "
            f"hardly better than the mean shape's {amount(score.mean_shape, score.unit)}."
        )
    else:
        return
    train = recipe.train
    tries = [f"train.lr = {train.lr / 3:.2g}", *([f"train.muon_lr = {train.muon_lr / 3:.2g}"] if _muon(report) else [])]
    tries += ["train.warmup = 0.05"] if train.warmup == 0 else []
    tries += ["train.clip = 1.0"] if train.clip == 0 else []
    tries += [] if jump else [f"train.lr = {train.lr * 3:.2g}, if it was too low"]
    yield Remedy("learning-rate", seen, tuple(tries))


def over_fitting(report: Report, recipe: Recipe | None) -> Iterator[Remedy]:
    """A held-out error that was best well before the end."""
    if recipe is None:
        return
    told = [curve for curve in report.curves if _came_down(curve, recipe)]
    ends = [(curve, end) for curve in told if (end := _evaluations(curve)) and len(end) > 1]
    if not ends:
        return
    bests = [min(end, key=lambda one: one[1]) for _, end in ends]
    worse = median(end[-1][1] / best[1] if best[1] > 0 else 1.0 for (_, end), best in zip(ends, bests, strict=True))
    early = median(best[0] / end[-1][0] for (_, end), best in zip(ends, bests, strict=True))
    if not (worse > WORSE and early < EARLY):
        return
    best_epoch, trained = round(median(best[0] for best in bests)), round(median(end[-1][0] for _, end in ends))
    seen = (
        f"The held-out error was lowest after epoch {best_epoch} of {trained} and rose by {worse - 1:.0%} since, while "
        "the training went on: what it learned last does not hold for other faces."
    )
    tries = [f"train.epochs = {best_epoch}", *(f"augment.{name} = {value:.3g}" for name, value in stronger(recipe))]
    if recipe.train.keep != "best":
        tries.append('train.keep = "best", which makes the score optimistic')
    yield Remedy("over-fitting", seen, tuple(tries))


def under_fitting(report: Report, recipe: Recipe | None) -> Iterator[Remedy]:
    """A held-out error that still falls at the end, by more than the learning rate's own decay brings about."""
    if recipe is None:
        return
    falls = [fall for curve in report.curves if (fall := _last_fall(curve)) is not None]
    if not falls:
        yield from _hardly_begun(report, recipe)
        return
    since = round(median(epoch for epoch, _ in falls))
    high = schedule(recipe.train, 1 - 1e-9)[0] > 0.5 * schedule(recipe.train, 0.75)[0]
    limit, fell = STEADY if high else DECAYED, median(fall for _, fall in falls)
    if not fell > limit:
        return
    seen = (
        f"The held-out error still fell by {fell:.0%} after epoch {since}, over the last of the training: it stopped "
        "before the model had learned what it can."
    )
    yield Remedy("under-fitting", seen, (f"train.epochs = {2 * recipe.train.epochs}",))


def _hardly_begun(report: Report, recipe: Recipe) -> Iterator[Remedy]:
    score = report.lead.score
    if report.curves and score.value > NEAR * score.mean_shape and recipe.train.epochs < FEW_EPOCHS:
        seen = (
            f"After {count(recipe.train.epochs)} epoch{'s' * (recipe.train.epochs > 1)} "
            f"{amount(score.value, score.unit)} is hardly better than the mean shape's "
            f"{amount(score.mean_shape, score.unit)}, if at all."
        )
        yield Remedy("under-fitting", seen, (f"train.epochs = {FEW_EPOCHS}",))


def _came_down(curve: FoldCurve, recipe: Recipe) -> bool:
    """Whether the rate was low at the end: where patience stopped a fold before, its last evaluations are noise."""
    last = curve.epochs[-1] / recipe.train.epochs if curve.epochs else 0.0
    return last >= 1 or schedule(recipe.train, last)[0] <= LOW


def stronger(recipe: Recipe) -> list[tuple[str, float]]:
    """Augmentations half as strong again, or as by default where they are off; none that is strong already."""
    now = recipe.augment.model_dump()
    each = [(name, float(now[name]) * 1.5 or default) for name, default in USUAL.items()]
    return [(name, value) for name, value in each if value <= LIMITS[name]]


def _muon(report: Report) -> bool:
    return report.rates is not None and "muon_lr" in report.rates.peaks


def _jump(curves: Sequence[FoldCurve]) -> str:
    """The largest rise of a loss from one epoch to the next, in words; "" where there is none to speak of."""
    rises = [
        (after / before, curve, epoch, before, after)
        for curve in curves
        for before, after, epoch in zip(curve.loss, curve.loss[1:], curve.epochs[1:], strict=False)
    ]
    times, curve, epoch, before, after = max(rises, key=lambda one: one[0])
    if times <= SPIKE:
        return ""
    return f"The loss of fold {curve.fold} jumped from {before:.3g} to {after:.3g} in epoch {count(epoch)}."


def _evaluations(curve: FoldCurve) -> list[tuple[int, float]]:
    """Epoch and held-out error of each evaluation."""
    return [(epoch, heldout) for epoch, heldout in zip(curve.epochs, curve.heldout, strict=True) if heldout >= 0]


def _last_fall(curve: FoldCurve) -> tuple[int, float] | None:
    """The last epoch evaluated before the last quarter, and the share of its held-out error that fell away since.

    None where nothing tells it.
    """
    end = _evaluations(curve)
    before = [heldout for epoch, heldout in end if epoch <= math.floor(0.75 * end[-1][0])]
    # Of few evaluations the last one before may be far back, and then says nothing of the last quarter.
    if not before or end[len(before) - 1][0] < 0.6 * end[-1][0] or before[-1] <= 0:
        return None
    return end[len(before) - 1][0], 1 - end[-1][1] / before[-1]
