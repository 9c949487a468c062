"""A ROC of thousands of steps as the few corners that draw it, on a linear axis of FAR and on a logarithmic one."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

import numpy as np

from kptool.geometry import Floats
from kptool.metrics.verification import Roc

SEEN = 1e-9  # of an axis' length; whatever lies closer to a straight line lies on it

Span = tuple[float, int, int, int]


def thinned(found: Roc, most: int) -> tuple[Floats, Floats]:
    """FAR and TAR at no more than `most` steps, both ends among them; all corners where so few are enough.

    The step that lies furthest from what is drawn so far comes next (Ramer 1972, Douglas & Peucker 1973, the furthest
    first), furthest on either axis: what decides at rare FAR is a hair's breadth of the linear one.
    """
    frames = [np.stack([axis, found.tar], axis=1) for axis in (found.far, _decades(found.far))]
    keep = [0, len(found.far) - 1]
    heap = [_furthest(frames, *keep)]
    heapify(heap)
    while len(keep) < most and -heap[0][0] > SEEN:
        _, at, start, end = heappop(heap)
        keep.append(at)
        heappush(heap, _furthest(frames, start, at))
        heappush(heap, _furthest(frames, at, end))
    rows = np.sort(keep)
    return found.far[rows], found.tar[rows]


def _decades(far: Floats) -> Floats:
    """(s,) log FAR from 0 at its first step, before which no logarithm is, to 1."""
    first = far[far > 0][0]
    return np.asarray(np.log(np.maximum(far, first) / first) / max(-np.log(first), 1.0))


def _furthest(frames: list[Floats], start: int, end: int) -> Span:
    """Minus the distance of the step between two that lies furthest from their line, that step, and the two."""
    if end - start < 2:
        return 0.0, start, start, end
    away = np.max([_distances(frame[start : end + 1]) for frame in frames], axis=0)
    at = int(np.argmax(away))
    return -float(away[at]), start + at, start, end


def _distances(points: Floats) -> Floats:
    """(n,) of three or more steps (n, 2) from the line through the first and the last, which are never in one place."""
    offset, along = points - points[0], points[-1] - points[0]
    return np.asarray(np.abs(offset[:, 0] * along[1] - offset[:, 1] * along[0]) / np.hypot(*along))
