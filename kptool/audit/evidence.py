"""Everything that speaks against a run's labels, a row an image that was predicted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kptool.audit.copies import Copy, equal_frames, hold
from kptool.audit.score import combine, of_labels, of_models, scatter, together
from kptool.audit.tails import Tails, fit_tails
from kptool.audit.voices import Voices
from kptool.check.labels import Off, judge
from kptool.check.stands import Odd
from kptool.check.swaps import Swap
from kptool.crop import whole_images
from kptool.dataset import Mask, rows_of
from kptool.geometry import Floats
from kptool.pixels import Arrays
from kptool.report.outcome import Outcome
from kptool.report.scored import in_frame


@dataclass(frozen=True)
class Evidence:
    """n images that were predicted, and what speaks against their labels. Distances are px of the model's frame.

    Attributes:
        outcome: of these images.
        label, answer: (n, K, 2) the labels, and the out-of-fold answers to them; NaN where not labelled.
        away: (n, K) the distance between the two.
        doubt: (n, K) log-likelihood ratio of a wrong label, see `Tails`; NaN where not labelled or too few rows tell.
        tails: how far right labels lie from answers.
        voices: how many models answered every image; 0 = their answers are not to be had.
        who: what those models are, in the plural.
        against: (M, n, K) each of those models' own doubt.
        scatter: (n,) how far apart they answer, over what is usual; NaN without them.
        copies: by row, its copy.
        swaps, off, odd: by row, what the shapes of the set say.
        score: (n,) see `kptool.audit.score`; -inf where nothing is labelled.
    """

    outcome: Outcome
    label: Floats
    answer: Floats
    away: Floats
    doubt: Floats
    tails: Tails
    voices: int
    who: str
    against: Floats
    scatter: Floats
    copies: Mapping[int, Copy]
    swaps: Mapping[int, Swap]
    off: Mapping[int, Off]
    odd: Mapping[int, Odd]
    score: Floats

    @property
    def labelled(self) -> Mask:
        """(n, K) points with both coordinates."""
        return np.asarray(np.isfinite(self.away))


def gather(outcome: Outcome, voices: Voices | None, arrays: Arrays | None) -> Evidence:
    """Hold the labels of a run against its answers.

    Args:
        outcome: of the images that were predicted.
        arrays: the pictures, for equal ones; None = those are not known.
    """
    known = np.isfinite(outcome.truth).all(-1, keepdims=True)
    label = np.where(known, in_frame(outcome.to_frame, outcome.truth), np.nan)
    answer = np.where(known, in_frame(outcome.to_frame, outcome.predicted), np.nan)
    away, scheme = np.linalg.norm(label - answer, axis=-1), outcome.scheme
    tails = fit_tails(away, scheme, len(outcome.schemes), float(np.hypot(*outcome.size)) / 2)
    doubt = tails.doubt(away, scheme)
    rho, models = together(doubt), None
    against, ratio = np.empty((0, *away.shape)), np.full(len(away), np.nan)
    if voices is not None:
        heard = np.stack([in_frame(outcome.to_frame, points) for points in voices.points])
        against = tails.doubt(np.linalg.norm(heard - label, axis=-1), scheme)
        ratio, usual = scatter(heard, away, scheme)
        models = of_models(ratio, usual, tails.reach)
    score = combine(of_labels(doubt, rho), models)
    copies = _copies(outcome, arrays, label, tails, score, rho)
    for row, copy in copies.items():
        score[row] += copy.added
    swaps, off, odd = _shapes(outcome)
    who = voices.who if voices else ""
    return Evidence(
        outcome, label, answer, away, doubt, tails, len(against), who, against, ratio, copies, swaps, off, odd, score
    )


def _copies(
    outcome: Outcome, arrays: Arrays | None, label: Floats, tails: Tails, score: Floats, rho: float
) -> Mapping[int, Copy]:
    if arrays is None:
        return {}
    return hold(equal_frames(arrays, rows_of(arrays.ids, outcome.ids)), label, outcome.scheme, tails, score.copy(), rho)


def _shapes(outcome: Outcome) -> tuple[dict[int, Swap], dict[int, Off], dict[int, Odd]]:
    """Each marking scheme's labels against its common shape: the Gaussian model of `check.expected`."""
    frames = outcome.boxes if outcome.boxes is not None else whole_images(outcome.sizes)
    swaps, off, odd = dict[int, Swap](), dict[int, Off](), dict[int, Odd]()
    for s in np.unique(outcome.scheme):
        rows = np.flatnonzero(outcome.scheme == s)
        judged = judge(outcome.truth[rows], outcome.ids[rows], outcome.schema, frames[rows])
        swaps |= {int(rows[one.row]): one for one in judged.swaps}
        off |= {int(rows[one.row]): one for one in judged.off}
        odd |= {int(rows[one.row]): one for one in judged.odd}
    return swaps, off, odd
