"""Equal pictures whose labels differ: one of the two must be wrong, and the models say which."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from kptool.audit.score import of_labels
from kptool.audit.tails import Tails
from kptool.dataset import Ints
from kptool.geometry import Floats
from kptool.pixels import Arrays


class Copy(NamedTuple):
    """A row's equal picture that the models contradict least, of the same marking scheme.

    Attributes:
        row: its number.
        apart: (K,) px of the frame between the two rows' labels; NaN where not both are labelled.
        doubt: how much likelier that distance is if one of the two is wrong, see `score.of_labels`.
        added: to the score of the row.
    """

    row: int
    apart: Floats
    doubt: float
    added: float


def equal_frames(arrays: Arrays, rows: Ints) -> list[list[int]]:
    """The places in `rows` (n,) whose frames are equal byte for byte, two and more each; flat frames do not count."""
    same: dict[bytes, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        frame = np.ascontiguousarray(arrays.images[row])
        same[hashlib.blake2b(frame.data, digest_size=16).digest()].append(place)
    groups = [places for places in same.values() if len(places) > 1]
    return [places for places in groups if np.ptp(arrays.images[rows[places[0]]]) > 0]


def hold(
    groups: list[list[int]], label: Floats, scheme: Ints, tails: Tails, base: Floats, rho: float
) -> Mapping[int, Copy]:
    """Each row of `groups` against the best of its copies.

    A difference of two labels varies √2 times as far as one about the answer does, at most: an answer has an error
    of its own. Its doubt is shared between the two by their own scores: the likelier the row is the wrong one, the
    more it gets, log(e^own / (e^own + e^other)) less.

    Args:
        label: (n, K, 2) px of the frame.
        base: (n,) the scores without copies.
    """
    out = {}
    for places in groups:
        for row in places:
            others = [other for other in places if other != row and scheme[other] == scheme[row]]
            aparts = {other: np.linalg.norm(label[row] - label[other], axis=-1) for other in others}
            others = [other for other in others if np.isfinite(aparts[other]).any()]
            if not others:
                continue
            best = min(others, key=lambda other: (float(base[other]), other))
            doubts = tails.doubt(aparts[best][None] / np.sqrt(2), scheme[[row]])
            doubt = float(of_labels(doubts, rho)[0])
            share = float(base[row] - np.logaddexp(base[row], base[best]))
            out[row] = Copy(best, aparts[best], doubt, max(0.0, doubt + share))
    return out
