"""What a report on pairs is made of."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kptool.config import Recipe
from kptool.dataset import Ints, Mask, Names
from kptool.engine.history import Epoch
from kptool.geometry import Floats


@dataclass(frozen=True)
class PairOutcome:
    """What a finished, or partly finished, cross-validation of pairs hands over.

    Attributes:
        title: the competition's.
        protocol: what the pairs are, such as "LFW view 1"; with the words on what training may use.
        alignment: how the pictures were brought into place, such as "LFW-a".
        size: (W, H) of the frames that the model is shown, in px.
        ids: (P,) what each pair is called.
        images: (N,) what each picture is called.
        people: (M,) names.
        person: (N,) who is on each picture, an index into `people`.
        first, second: (P,) the pictures of each pair.
        same: (P,) True where a pair shows one person.
        score: (P,) out of fold, higher = more alike; any value where fold is -1.
        classical: (P,) the same of the hand-made baseline, fitted on the same folds; NaN where it was not made.
        fold: (P,) the fold that held the pair out; -1 where that fold was not run.
        group: (P,) pairs that share a number share people, directly or through others, and never part over folds.
        naive_leak: share of held-out pairs with a person seen in training, were the pairs split at random (mean over
            random stratified splits into as many folds); this run's own share is 0 by construction.
        seconds: wall time of the training, None where not known.
        pairs_per_second: of a fold's training steps, None where not known.
        keep: "last" or "best" epoch; the best is chosen by the held-out score, which makes that optimistic.
        views: what was averaged at test time, such as "plain, each also mirrored".
        history: the epochs of each fold that has a history.csv; `heldout` is the EER in %.
        recipe: what was trained; None of an ensemble.
    """

    title: str
    run: str
    recipe_name: str
    recipe_digest: str
    data_digest: str
    protocol: str
    alignment: str
    size: tuple[int, int]
    ids: Names
    images: Names
    people: Names
    person: Ints
    first: Ints
    second: Ints
    same: Mask
    score: Floats
    classical: Floats
    fold: Ints
    group: Ints
    naive_leak: float
    seconds: float | None
    pairs_per_second: float | None
    device: str
    precision: str
    keep: str
    views: str
    parameters: int | None = None
    history: dict[int, list[Epoch]] = field(default_factory=dict)
    recipe: Recipe | None = None

    def __post_init__(self) -> None:
        pairs = (len(self.ids),)
        for name in ("first", "second", "same", "score", "classical", "fold", "group"):
            assert getattr(self, name).shape == pairs, (name, getattr(self, name).shape)
        assert self.person.shape == (len(self.images),), self.person.shape
        assert np.isfinite(self.score[self.fold >= 0]).all(), "a score that is no number"
        assert self.keep in ("last", "best"), self.keep
