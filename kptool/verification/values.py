"""The report on pairs as data: frozen values. Figures that do not exist are NaN here and null in the JSON.

Shares and rates are 0 to 1 here; whoever shows them writes per cent. A score is higher the more alike two pictures are.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PairAbout:
    """Where the numbers come from; `pairs`, `same`, `images`, `people`, `groups` count the whole data.

    Attributes:
        scored: how many of the pairs have an out-of-fold score.
        stopped_early: whether patience ended a fold's training, by the EER of the pairs that it is judged on.
        naive_leak, own_leak: share of held-out pairs with a person seen in training: under a random split, and here.
    """

    title: str
    run: str
    recipe: str
    recipe_digest: str
    data_digest: str
    protocol: str
    alignment: str
    pairs: int
    scored: int
    same: int
    images: int
    people: int
    groups: int
    naive_leak: float
    own_leak: float
    size: tuple[int, int]
    views: str
    keep: str
    device: str
    precision: str
    parameters: int | None
    seconds: float | None
    pairs_per_second: float | None
    stopped_early: bool = False


@dataclass(frozen=True)
class Accepted:
    """TAR at one FAR: the share of same-person pairs accepted where at most `far` of the others are.

    Attributes:
        others: how many different-person pairs may be accepted for it: floor(far * their number); a rate that fewer
            than ten would decide is not given.
    """

    far: float
    tar: float
    threshold: float
    others: int


@dataclass(frozen=True)
class Figures:
    """One scorer's figures over the scored pairs: the model's, or the classical baseline's.

    Attributes:
        name: "model" or the baseline's name in words.
        accuracy: mean over folds; each fold is judged by the threshold that is best on the other folds' scores.
        standard_error: s / sqrt(k) of the folds' accuracies, s of n - 1; NaN with one fold.
        low, high: 95 % bootstrap interval of the pooled accuracy, groups of pairs drawn again; NaN with too few.
        auc, eer: over all scored pairs pooled.
        accepted: TAR at the FARs that the number of pairs can carry, the largest FAR first.
        brier, log_loss: of probabilities calibrated (Platt) on the other folds.
        chance_brier: 0.25, what answering one half gets on balanced pairs: the share of same times that of different.
    """

    name: str
    accuracy: float
    standard_error: float
    low: float
    high: float
    auc: float
    eer: float
    accepted: tuple[Accepted, ...]
    brier: float
    log_loss: float
    chance_brier: float


@dataclass(frozen=True)
class PairFold:
    """One held-out fold. `accuracy_in` = of the threshold's own pairs, those of the other folds; NaN with one fold.

    Attributes:
        threshold: best on the other folds' out-of-fold scores; with one finished fold on its own pairs, and `honest`
            is False.
        false_accept, false_reject: shares of its different pairs accepted, and of its same pairs refused.
        classical: the baseline's accuracy on it, by the same rule; NaN where there is none.
    """

    fold: int
    pairs: int
    same: int
    threshold: float
    honest: bool
    accuracy: float
    accuracy_in: float
    false_accept: float
    false_reject: float
    auc: float
    eer: float
    classical: float


@dataclass(frozen=True)
class RocCurve:
    """Steps of the ROC, FAR rising from 0 to 1: at most a few hundred, the corners among them."""

    far: tuple[float, ...]
    tar: tuple[float, ...]


@dataclass(frozen=True)
class Histogram:
    """Counts of scores between `edges` (b + 1,): same-person pairs and different ones; `threshold` = mean of folds'."""

    edges: tuple[float, ...]
    same: tuple[int, ...]
    different: tuple[int, ...]
    threshold: float


@dataclass(frozen=True)
class Bin:
    """One bin of a reliability diagram: pairs whose probability of one person lies in [low, high)."""

    low: float
    high: float
    pairs: int
    probability: float
    share: float


@dataclass(frozen=True)
class PairRow:
    """One pair as answered.

    Attributes:
        row: its place in the data.
        first, second: ids of its pictures; `first_image` and `second_image` are their rows among the pictures.
        probability: of one person, calibrated on the other folds; NaN with one fold.
        decision: True = taken for one person.
        confidence: probability of the decision: probability or 1 - probability.
    """

    row: int
    id: str
    fold: int
    first: str
    second: str
    first_image: int
    second_image: int
    same: bool
    score: float
    probability: float
    decision: bool
    confidence: float


@dataclass(frozen=True)
class PersonFailures:
    """One person: in how many scored pairs, and how many of those went wrong, each way.

    Attributes:
        worst: id of the picture that stands in most of the wrong pairs, and in how many.
    """

    person: str
    pairs: int
    wrong: int
    false_accepts: int
    false_rejects: int
    worst: str
    worst_pairs: int


@dataclass(frozen=True)
class PairCurve:
    """A fold's training: EER in % is NaN where it was not evaluated."""

    fold: int
    epochs: tuple[int, ...]
    loss: tuple[float, ...]
    eer: tuple[float, ...]
    best_epoch: int | None


@dataclass(frozen=True)
class PairReport:
    """The whole report.

    Attributes:
        model: the run's figures.
        classical: the hand-made baseline's on the same pairs and folds; None where it was not made.
        gain, gain_low, gain_high: the model's pooled accuracy less the baseline's, with the 95 % interval of a paired
            bootstrap over groups of pairs; NaN without a baseline or with too few groups.
        hardest: pairs answered wrongly, the most confident first; `surest`: pairs answered rightly, the same.
        calibration: bins with pairs in them, in order.
        people: those with wrong pairs, most wrong first.
        warnings: sentences.
    """

    about: PairAbout
    model: Figures
    classical: Figures | None
    gain: float
    gain_low: float
    gain_high: float
    folds: tuple[PairFold, ...]
    roc: RocCurve
    classical_roc: RocCurve | None
    histogram: Histogram
    calibration: tuple[Bin, ...]
    hardest: tuple[PairRow, ...]
    surest: tuple[PairRow, ...]
    people: tuple[PersonFailures, ...]
    curves: tuple[PairCurve, ...]
    warnings: tuple[str, ...]
