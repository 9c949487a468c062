"""The pairs of a page as plain values for its script: which ones, and their pictures, each of them once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from kptool.dataset import Ints
from kptool.page.images import picture_uri
from kptool.pictures import model_images
from kptool.pixels import Arrays
from kptool.verification.judged import Judged
from kptool.verification.outcome import PairOutcome
from kptool.verification.rows import order, pair_row

BYTES: Final = 3_600_000  # of all pairs with their pictures
MOST: Final = 480  # pairs of a page; fewer where they fill its bytes
HARDEST, SUREST, DOUBTFUL = 48, 48, 48
KINDS: Final = ("hardest wrong", "surest right", "false accepts", "false rejects", "most doubtful", "by lot")
LOT: Final = len(KINDS) - 1


@dataclass(frozen=True)
class PairChoice:
    """Pairs in the order in which they deserve their bytes.

    Attributes:
        places: (n,) among the judged pairs.
        kinds: n times the places in KINDS of why it was chosen.
        of: how many could have been chosen.
    """

    places: Ints
    kinds: tuple[tuple[int, ...], ...]
    of: int


@dataclass(frozen=True)
class PairGallery:
    """Plain values, as many pairs as fit.

    Attributes:
        pairs: one table a pair; `pictures` in it are places in `pictures`.
        pictures: each picture that a pair needs, with its name, and as a data URI where there are pictures.
    """

    pairs: list[dict[str, Any]]
    pictures: list[dict[str, str]]


def choose_pairs(found: Judged, most: int = MOST) -> PairChoice:
    """Choose pairs; the lot is drawn with a fixed seed, so that a run has one page."""
    every = np.arange(len(found.row))
    surest = order(found, every)
    wrong, right = surest[~found.right[surest]], surest[found.right[surest]]
    accepted, refused = wrong[found.decision[wrong]], wrong[~found.decision[wrong]]
    # Not by confidence: where the fit has its one half is not where the threshold is, and all would lie between them.
    doubtful = np.argsort(found.away, kind="stable")
    lot = np.random.default_rng(0).permutation(every)
    lists: tuple[Ints, ...] = (wrong[:HARDEST], right[:SUREST], accepted, refused, doubtful[:DOUBTFUL], lot)
    reasons: dict[int, set[int]] = {}
    for place in range(len(every)):  # in turn, so that a page cut short still has some of each
        for kind, places in enumerate(lists):
            if place < len(places) and (len(reasons) < most or int(places[place]) in reasons):
                reasons.setdefault(int(places[place]), set()).add(kind)
        if len(reasons) == most:  # the lot ends here: of those after it only some would be shown
            lists = (*lists[:LOT], lot[:0])
    chosen = list(reasons)
    if len(chosen) == len(every):  # all are there, whatever the lot
        reasons = {at: kinds - {LOT} for at, kinds in reasons.items()}
    return PairChoice(np.array(chosen, dtype=np.int64), tuple(tuple(sorted(reasons[at])) for at in chosen), len(every))


def gather_pairs(
    outcome: PairOutcome, found: Judged, choice: PairChoice, arrays: Arrays | None, tick: Callable[[int], object]
) -> PairGallery:
    """Draw up the chosen pairs until they fill their bytes.

    Args:
        arrays: the run's pictures, row by row; None = names alone.
        tick: told how many are done.
    """
    pairs: list[dict[str, Any]] = []
    pictures: dict[int, dict[str, str]] = {}
    left = BYTES
    for n, at in enumerate(choice.places.tolist()):
        pair = _plain(outcome, found, at, choice.kinds[n])
        ends = (int(outcome.first[found.row[at]]), int(outcome.second[found.row[at]]))
        new = {row: _picture(outcome, row, arrays) for row in ends if row not in pictures}
        left -= len(json.dumps([pair, *new.values()]))
        if left < 0 and pairs:  # the lot ends with the last pair that is shown
            kinds = choose_pairs(found, len(pairs)).kinds
            pairs = [pair | {"kinds": list(kind)} for pair, kind in zip(pairs, kinds, strict=True)]
            break
        pictures |= new
        place = {row: k for k, row in enumerate(pictures)}
        pairs.append(pair | {"pictures": [place[row] for row in ends]})
        tick(n + 1)
    return PairGallery(pairs, list(pictures.values()))


def _picture(outcome: PairOutcome, row: int, arrays: Arrays | None) -> dict[str, str]:
    name = {"name": str(outcome.images[row])}
    return name if arrays is None else name | {"uri": picture_uri(model_images(arrays, np.array([row]))[0])}


def _plain(outcome: PairOutcome, found: Judged, at: int, kinds: tuple[int, ...]) -> dict[str, Any]:
    row = pair_row(outcome, found, at)
    threshold = found.thresholds[row.fold]
    return {
        "id": row.id,
        "fold": row.fold,
        "same": row.same,
        "answer": row.decision,
        "confidence": _short(row.confidence),
        "score": _short(row.score),
        "away": _short(abs(row.score - threshold)),
        "threshold": _short(threshold),
        "kinds": list(kinds),
    }


def _short(value: float) -> float:
    """Five digits that count; NaN stays, and is null in the page."""
    return float(f"{value:.5g}")
