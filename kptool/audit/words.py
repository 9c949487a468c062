"""The evidence against an image in plain words."""

from __future__ import annotations

from typing import Final

import numpy as np

from kptool.audit.decide import Decision, contradicting, doubted, lost
from kptool.audit.evidence import Evidence
from kptool.audit.score import POINT
from kptool.check.swaps import Swap

WAYS: Final = {
    "left": "stands further left",
    "right": "stands further right",
    "higher": "stands higher",
    "lower": "stands lower",
    "smaller": "is smaller",
    "larger": "is larger",
}
AGREE: Final = 2.0  # times the usual scatter, up to which models agree with each other


def reason(found: Evidence, row: int, decision: Decision) -> str:
    """What speaks against an image, the most telling first, as one line."""
    parts = [_distance(found, row), _exchange(found, row, decision), _models(found, row), _copy(found, row, decision)]
    return "; ".join(filter(None, [*parts, _shape(found, row, decision)]))


def _distance(found: Evidence, row: int) -> str:
    away, names = found.away[row], found.outcome.schema.points
    usual = found.tails.median[found.outcome.scheme[row]]
    off = doubted(found, row)
    if not off.any():
        return ""
    times = np.where(off, away / usual, -np.inf)
    worst = int(times.argmax())
    px = "px of the frame" if _cropped(found, row) else "px"
    text = f"{names[worst]} {away[worst]:.1f} {px} from the out-of-fold answer, {times[worst]:.1f} times the median"
    count, labelled = int(off.sum()), int(found.labelled[row].sum())
    return f"{text}; {count} of {labelled} points are off" if count > 1 else text


def _cropped(found: Evidence, row: int) -> bool:
    return not np.array_equal(found.outcome.to_frame.matrix[row], np.eye(3))


def _exchange(found: Evidence, row: int, decision: Decision) -> str:
    if decision.kind != "swap":
        return ""
    pairs = int(decision.points.sum()) // 2
    too = ", and the set's shapes say so too" if row in found.swaps else ""
    return f"fits once left and right are exchanged ({pairs} pair{'s' * (pairs != 1)}){too}"


def _models(found: Evidence, row: int) -> str:
    if not found.voices:
        return ""
    count, who, ratio = contradicting(found, row), f"{found.voices} {found.who}", found.scatter[row]
    verb = "contradicts" if count == 1 else "contradict"
    votes = f"all {who} contradict it" if count == found.voices else f"{count or 'none'} of {who} {verb} it"
    if lost(found, row):
        return f"{votes}, and they scatter {ratio:.1f} times as far as usual: no usable face, or a most unusual one"
    if ratio <= AGREE:
        return f"{votes}; they agree with each other"
    return f"{votes}, though they scatter {ratio:.1f} times as far as usual"


def _copy(found: Evidence, row: int, decision: Decision) -> str:
    copy = found.copies.get(row)
    if copy is None or copy.doubt < POINT:
        return ""
    name, far = found.outcome.ids[copy.row], float(np.nanmax(copy.apart))
    there = ", where the models are" if decision.kind == "copy" else ""
    return f"its copy {name} is marked up to {far:.1f} px elsewhere{there}"


def _shape(found: Evidence, row: int, decision: Decision) -> str:
    names, parts = found.outcome.schema.points, []
    swap: Swap | None = found.swaps.get(row)
    if row in found.off:
        off = found.off[row]
        worst = names[off.points[0]]
        parts.append(f"{worst} is {off.value:.1f} standard deviations off the shape of the face's other points")
    if row in found.odd:
        odd = found.odd[row]
        parts.append(f"the face {WAYS[odd.way]} than the others by {odd.value:.1f} standard deviations")
    if swap is not None and decision.kind != "swap":
        parts.append(f"the set's shapes fit {swap.gain:.0f} times better with left and right exchanged")
    return "; ".join(parts)
