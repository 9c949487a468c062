"""A scorer's figures: accuracy with its error and interval, ROC, TAR@FAR, calibration."""

from __future__ import annotations

import math

import numpy as np

from kptool.metrics import verification as metrics
from kptool.report.bootstrap import FEWEST, interval, resample
from kptool.report.sums import Sums
from kptool.verification.judged import Judged
from kptool.verification.thinning import thinned
from kptool.verification.values import Accepted, Bin, Figures, Histogram, PairFold, RocCurve

NAN = math.nan
STEPS = 200  # of a thinned ROC
BINS = 32


def figures(name: str, found: Judged, low: float, high: float) -> Figures:
    """The figures of one scorer; `low` and `high` bound its pooled accuracy."""
    each = [float(found.right[found.fold == k].mean()) for k in found.thresholds]
    score, same = found.score, found.same
    known = bool(np.isfinite(found.probability).all())
    share = float(same.mean())
    return Figures(
        name=name,
        accuracy=float(np.mean(each)),
        standard_error=metrics.standard_error(each),
        low=low,
        high=high,
        auc=metrics.auc(score, same) if found.both_kinds else NAN,
        eer=metrics.eer(score, same) if found.both_kinds else NAN,
        accepted=_accepted(found),
        brier=metrics.brier(found.probability, same) if known else NAN,
        log_loss=metrics.log_loss(found.probability, same) if known else NAN,
        chance_brier=share * (1 - share),
    )


def spans(model: Judged, classical: Judged | None) -> tuple[tuple[float, float], ...]:
    """95 % intervals of pooled accuracy under the same draws: the model's, the baseline's, and of the difference."""
    scorers = [model] if classical is None else [model, classical]
    if len(np.unique(model.group)) < FEWEST:
        return ((NAN, NAN),) * 3
    ones = np.ones(len(model.row))
    drawn = resample([Sums(one.right.astype(np.float64), ones, False) for one in scorers], model.group)
    own = [interval(row) for row in drawn]
    return (*own, interval(drawn[0] - drawn[1])) if len(own) > 1 else (own[0], (NAN, NAN), (NAN, NAN))


def folds(model: Judged, classical: Judged | None) -> tuple[PairFold, ...]:
    """Every fold by itself."""
    return tuple(_fold(k, model, classical) for k in sorted(model.thresholds))


def curve(found: Judged) -> RocCurve:
    """The ROC, of which at most STEPS are kept; empty where the pairs are all of one kind."""
    if not found.both_kinds:
        return RocCurve((), ())
    far, tar = thinned(metrics.roc(found.score, found.same), STEPS)
    return RocCurve(tuple(far.tolist()), tuple(tar.tolist()))


def histogram(found: Judged) -> Histogram:
    """Scores of both kinds; the outermost bins hold what lies beyond the middle 99 %."""
    low, high = np.percentile(found.score, (0.5, 99.5))
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    held = np.clip(found.score, edges[0], edges[-1])
    same, different = (np.histogram(held[kind], edges)[0] for kind in (found.same, ~found.same))
    threshold = float(np.mean(list(found.thresholds.values())))
    return Histogram(tuple(edges.tolist()), tuple(same.tolist()), tuple(different.tolist()), threshold)


def calibration(found: Judged) -> tuple[Bin, ...]:
    """Bins of the calibrated probability; none with one fold."""
    if not np.isfinite(found.probability).all():
        return ()
    return tuple(Bin(*one) for one in metrics.reliability(found.probability, found.same))


def _accepted(found: Judged) -> tuple[Accepted, ...]:
    different = int((~found.same).sum())
    if not found.both_kinds:
        return ()
    rates = [(far, *metrics.tar_at_far(found.score, found.same, far)) for far in metrics.carried(different)]
    return tuple(Accepted(far, tar, at, math.floor(far * different + 1e-9)) for far, tar, at in rates)


def _fold(k: int, model: Judged, classical: Judged | None) -> PairFold:
    own = model.fold == k
    same, decision, score = model.same[own], model.decision[own], model.score[own]
    both = bool(same.any() and not same.all())
    others, honest = ~own, len(model.thresholds) > 1
    threshold = model.thresholds[k]
    return PairFold(
        fold=k,
        pairs=int(own.sum()),
        same=int(same.sum()),
        threshold=threshold,
        honest=honest,
        accuracy=float(model.right[own].mean()),
        accuracy_in=metrics.accuracy(model.score[others], model.same[others], threshold) if honest else NAN,
        false_accept=float(decision[~same].mean()) if not same.all() else NAN,
        false_reject=float((~decision[same]).mean()) if same.any() else NAN,
        auc=metrics.auc(score, same) if both else NAN,
        eer=metrics.eer(score, same) if both else NAN,
        classical=NAN if classical is None else float(classical.right[own].mean()),
    )
