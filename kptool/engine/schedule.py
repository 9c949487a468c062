"""The learning rate over a training: a function of how far it is, so nothing of it needs saving. No torch in here."""

from __future__ import annotations

import math

from kptool.config import TrainOptions


def schedule(options: TrainOptions, progress: float) -> tuple[float, float]:
    """Learning rate and momentum, each as a factor of its peak, at `progress` in [0, 1) of all steps.

    one-cycle is Smith & Topin 2018 (arXiv 1708.07120): the momentum falls to 0.9 of itself while the rate is high. step
    stays at its peak, divided by 10 for each of train.drop_at's epochs that is done.
    """
    rise = 0.3 if options.schedule == "one-cycle" else options.warmup
    up = min(1.0, progress / rise) if rise > 0 else 1.0
    down = min(1.0, max(0.0, (1 - progress) / max(1 - rise, 1e-9)))
    if options.schedule == "constant":
        return max(up, 1e-3), 1.0
    if options.schedule == "step":
        epoch = progress * options.epochs + 1e-6  # what rounding takes from an epoch that is done
        return max(up, 1e-3) * 0.1 ** sum(epoch >= drop for drop in options.drop_at), 1.0
    if options.schedule == "linear":
        return max(up * down, 1e-4), 1.0
    rate = max(up if progress < rise else 0.5 - 0.5 * math.cos(math.pi * down), 1e-4)
    return rate, (1 - 0.1 * rate if options.schedule == "one-cycle" else 1.0)
