"""What a fold in training tells whoever watches."""

from __future__ import annotations

from typing import Literal, NamedTuple

Doing = Literal["waiting", "training", "predicting", "done", "stopped early"]


class Measure(NamedTuple):
    """What the held-out figures of a task are called; lower is better.

    Attributes:
        metric: of the held-out score.
        unit: of it.
        baseline: who answers without a network.
        rows: what is counted per second.
        curve, speed: what trackers call the held-out score and the rows per second.
    """

    metric: str
    unit: str
    baseline: str
    rows: str
    curve: str
    speed: str


MEASURES = {
    "keypoints": Measure("held-out RMSE", "px", "mean shape", "img", "heldout_rmse_px", "images_per_second"),
    "verification": Measure("held-out EER", "%", "classical", "pairs", "heldout_eer_percent", "pairs_per_second"),
}


class Progress(NamedTuple):
    """One fold after one epoch.

    Attributes:
        fold: which.
        epoch: epochs done.
        epochs: epochs wanted.
        loss: mean training loss of the epoch.
        heldout: the task's score on the held-out rows, RMSE in px or EER in %; None where this epoch was not evaluated.
        baseline: that of the mean shape, or of the classical baseline, on the same rows.
        images_per_second: rows of this fold's training steps: images, or pairs.
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
