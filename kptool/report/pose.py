"""How a face stands in its picture: tilted, turned aside, large or small; from points alone, of any schema.

Labels are used where there are any, and predictions for the points that the image's marking scheme has besides.
Points are complex numbers x + iy: a similarity without reflection is then one product and one sum, z = a·m + b, and
its least-squares solution is Umeyama's in the plane (PAMI 1991).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kptool.geometry import Floats
from kptool.report.calibrated import scales
from kptool.report.scored import Scored, in_frame

Complexes = npt.NDArray[np.complex128]


def places(found: Scored) -> Floats:
    """(n, K, 2) where the points of each image's scheme stand, px of the frame: labels, else predictions; else NaN."""
    outcome = found.outcome
    marked = outcome.schemes.masks[outcome.scheme][..., None]
    whole = np.isfinite(outcome.truth).all(-1, keepdims=True)
    best = np.where(whole, outcome.truth, np.where(marked, outcome.predicted, np.nan))
    return in_frame(outcome.to_frame, best)


def tilt_and_size(found: Scored, at: Floats, mean: Floats) -> tuple[Floats, Floats]:
    """(n,) degrees by which each face is turned clockwise from the typical one, and its size in px of its image.

    Both are read off the similarity that brings the typical shape onto the points an image has, so that a face of 4
    points and one of 15 compare: the size is the root mean square distance of the whole shape's points from their
    middle. NaN under two points.

    Args:
        at: (n, K, 2) the `places`.
        mean: (K, 2) their `schema.typical_shape`.
    """
    z: Complexes = at[..., 0] + 1j * at[..., 1]
    whole = np.isfinite(mean).all(1)
    shape: Complexes = np.where(whole, mean[:, 0] + 1j * mean[:, 1], 0)
    known = np.isfinite(z) & whole
    weight = known / np.maximum(known.sum(1, keepdims=True), 1)
    here, there = np.where(known, z, 0), np.broadcast_to(shape, z.shape)
    here, there = (one - (weight * one).sum(1, keepdims=True) for one in (here, there))
    power = (weight * np.abs(there) ** 2).sum(1)
    together = (weight * there.conj() * here).sum(1)
    turn = np.full(len(at), np.nan, dtype=np.complex128)
    np.divide(together, power, out=turn, where=(power > 0) & (np.abs(together) > 0))
    radius = float(np.sqrt(np.mean(np.abs(shape[whole] - shape[whole].mean()) ** 2))) if whole.any() else float("nan")
    return np.degrees(np.angle(turn)), np.abs(turn) * radius / scales(found.outcome.to_frame)


def turn(found: Scored, at: Floats, mean: Floats) -> Floats:
    """(n,) how far the points of the middle line stand to the picture's right of the middle of the mirror pairs.

    Measured along the line that joins the pairs, in units of the pairs' mean distance: a nose stands before the face,
    so it moves to the side that the face turns to. Points that every scheme marks are used where they suffice, so that
    schemes compare. NaN where pairs or points of the middle are not known.

    Args:
        at, mean: as in `tilt_and_size`.
    """
    schema, shared = found.outcome.schema, np.asarray(found.outcome.schemes.masks.all(0))
    pairs = np.array([(a, b) for a, b in enumerate(schema.mirror) if a < b], dtype=np.int64).reshape(-1, 2)
    middle = np.array([a for a, b in enumerate(schema.mirror) if a == b], dtype=np.int64)
    if shared[pairs].all(1).any() and shared[middle].any():
        pairs, middle = pairs[shared[pairs].all(1)], middle[shared[middle]]
    if not len(pairs) or not len(middle):
        return np.full(len(at), np.nan)
    order = mean[pairs[:, 0], 0] > mean[pairs[:, 1], 0]
    pairs = np.where(order[:, None], pairs[:, ::-1], pairs)  # now from the picture's left to its right
    left, right = at[:, pairs[:, 0]], at[:, pairs[:, 1]]
    across, between = _mean(right - left), _mean((left + right) / 2)
    length = _mean(np.linalg.norm(right - left, axis=-1, keepdims=True))[:, 0]
    off = ((_mean(at[:, middle]) - between) * across).sum(1)
    scale = np.linalg.norm(across, axis=1) * length
    return np.asarray(np.divide(off, scale, out=np.full(len(at), np.nan), where=scale > 0))


def _mean(values: Floats) -> Floats:
    """(n, d) mean over the points of (n, P, d) that are known; NaN where none is."""
    known = np.isfinite(values).all(-1, keepdims=True)
    total, count = np.where(known, values, 0).sum(1), known.sum(1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
