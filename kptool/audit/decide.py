"""What to do about a suspicious image.

Nothing is ever moved to where a model answers: that would teach the model itself. A point moves only where labels say
what is right: its partner's, where left and right are exchanged, or an equal picture's.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kptool.audit.evidence import Evidence
from kptool.audit.score import LOST, POINT
from kptool.audit.suggestion import Action, Kind
from kptool.dataset import Mask
from kptool.geometry import Floats

WHOLE = 2 / 3  # of the labelled pairs: exchanged so many, all are


class Decision(NamedTuple):
    """An action on one image.

    Attributes:
        points: (K,) those it is about; all doubted ones of a drop.
        to: (K, 2) px of the original image; NaN where nothing moves.
        masked: (K,) points masked beside a move.
    """

    action: Action
    kind: Kind
    points: Mask
    to: Floats
    masked: Mask


def decide(found: Evidence, row: int) -> Decision:
    """Move where labels know better, drop a face without use and one with most points off, else mask what is off."""
    off, nothing = doubted(found, row), np.zeros_like(found.labelled[row])
    nowhere = np.full((len(off), 2), np.nan)
    if (to := _exchanged(found, row)) is not None:
        return _move("swap", to, off)
    if (to := _copied(found, row, off)) is not None:
        return _move("copy", to, off)
    if lost(found, row):
        return Decision("drop", "face", off, nowhere, nothing)
    if off.sum() > found.labelled[row].sum() / 2 or off.sum() == found.labelled[row].sum():
        return Decision("drop", "labels", off, nowhere, nothing)
    return Decision("mask", "points", off, nowhere, nothing)


def _move(kind: Kind, to: Floats, off: Mask) -> Decision:
    moved: Mask = np.asarray(np.isfinite(to).all(-1))
    return Decision("move", kind, moved, to, off & ~moved)


def doubted(found: Evidence, row: int) -> Mask:
    """(K,) points ten times likelier wrong than right; where there are none, those likelier wrong; else the worst."""
    doubt: Floats = np.where(found.labelled[row], np.nan_to_num(found.doubt[row], nan=-np.inf), -np.inf)
    least = next((limit for limit in (POINT, 0.0) if (doubt >= limit).any()), float(doubt.max()))
    off: Mask = found.labelled[row] & (doubt >= least) & np.isfinite(doubt)  # none, where none can be judged
    return off


def lost(found: Evidence, row: int) -> bool:
    """Whether the models scatter so far that they have no face to agree on."""
    return bool(found.scatter[row] >= LOST)  # NaN, where there are no models, is not


def contradicting(found: Evidence, row: int) -> int:
    """How many of the models doubt most of the doubted points, those that were trained on the label among them."""
    if not found.voices:
        return 0
    off = doubted(found, row)
    if not off.any():
        return 0
    each = np.median(found.against[:, row][:, off], axis=1)
    return int((each >= POINT).sum())


def _exchanged(found: Evidence, row: int) -> Floats | None:
    """(K, 2) where points belong whose doubt goes once left and right change places; None where there are none."""
    mirror, known = found.outcome.schema.mirror, found.labelled[row]
    pairs = [(k, m) for k, m in enumerate(mirror) if k < m and known[k] and known[m]]
    if not pairs:
        return None
    label = found.label[row].copy()
    label[list(range(len(mirror)))] = label[list(mirror)]
    away = np.linalg.norm(label - found.answer[row], axis=-1)
    after, before = found.tails.doubt(away[None], found.outcome.scheme[[row]])[0], found.doubt[row]
    good = [pair for pair in pairs if before[list(pair)].min() >= POINT and after[list(pair)].max() < 0]
    better = [pair for pair in pairs if after[list(pair)].max() <= before[list(pair)].max()]
    if len(good) >= WHOLE * len(pairs) and len(better) == len(pairs):
        good = pairs
    to = np.full(label.shape, np.nan)
    for k, m in good:
        to[[k, m]] = found.outcome.truth[row, [m, k]]
    return to if good and _inside(found, row, to) else None


def _copied(found: Evidence, row: int, off: Mask) -> Floats | None:
    """(K, 2) an equal picture's labels of the doubted points; None where that is no better."""
    copy = found.copies.get(row)
    if copy is None or copy.doubt < POINT or found.score[copy.row] > min(0.0, found.score[row] - POINT):
        return None
    both = np.isfinite(copy.apart)
    moved = both if off.sum() > found.labelled[row].sum() / 2 else both & off
    if not moved.any():
        return None
    back = found.outcome.to_frame[row].inverse()
    to = np.where(moved[:, None], back(found.label[copy.row]).round(4), np.nan)
    return to if _inside(found, row, to) else None


def _inside(found: Evidence, row: int, to: Floats) -> bool:
    """Whether a recipe would take such places, see `edits.apply_edits`."""
    size = found.outcome.sizes[row]
    return not ((to < -size) | (to >= 2 * size)).any()
