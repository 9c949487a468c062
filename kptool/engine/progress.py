"""What a fold in training tells whoever watches."""

from __future__ import annotations

from typing import Literal, NamedTuple

Doing = Literal["waiting", "training", "predicting", "done", "stopped early"]


class Progress(NamedTuple):
    """One fold after one epoch.

    Attributes:
        fold: which.
        epoch: epochs done.
        epochs: epochs wanted.
        loss: mean training loss of the epoch.
        heldout: RMSE on the held-out rows in px; None where this epoch was not evaluated.
        baseline: RMSE of the mean shape on the same rows, px.
        images_per_second: of this fold's training steps.
        seconds: training time of this fold so far.
        state: what the fold is doing.
    """

    fold: int
    epoch: int
    epochs: int
    loss: float
    heldout: float | None
    baseline: float
    images_per_second: float
    seconds: float
    state: Doing
