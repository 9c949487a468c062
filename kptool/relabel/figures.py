"""What a reader must know of soft labels: how many, how sure, and whether the radii hold what they promise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kptool.dataset import Mask
from kptool.geometry import Floats
from kptool.metrics import lengths, rmse
from kptool.relabel.filling import Labels, Teacher, sources
from kptool.relabel.teachers import held_out
from kptool.relabel.values import Check, Filled
from kptool.soft_labels import SoftSet


def by_point(
    labels: Labels,
    taught: dict[int, Teacher],
    sets: dict[int, SoftSet],
    points: Sequence[str],
    schemes: Sequence[str],
) -> tuple[Filled, ...]:
    """Every point that an image lacks, by the scheme that is to fill it."""
    everyone = np.ones(len(labels.fold), dtype=np.bool_)
    source = sources(labels, everyone)[labels.scheme]
    filled: Mask = np.zeros(labels.missing.shape, dtype=np.bool_)
    for own in sets.values():
        np.logical_or.at(filled, own.row, np.isfinite(own.points).all(-1))
    found, spread = held_out({g: one.answers for g, one in taught.items()}, labels.fold, labels.scheme)
    errors = found - labels.truth
    held = _held(labels, taught, lengths(errors), spread)
    out = []
    for k, point in enumerate(points):
        for t in (*range(len(schemes)), -1):
            lacking = labels.missing[:, k] & (source[:, k] == t)
            if not lacking.any():
                continue
            if t < 0:
                out.append(Filled(point, "", int(lacking.sum()), 0, np.nan, np.nan, np.nan))
                continue
            radius = np.concatenate([own.radius[own.scheme == t, k] for own in sets.values()])
            own_rows = (labels.scheme == t) & np.isin(labels.fold, list(taught))
            count = int((lacking & filled[:, k]).sum())
            error = rmse(errors[own_rows, k])
            out.append(
                Filled(point, schemes[t], int(lacking.sum()), count, _median(radius), error, _mean(held[own_rows, k]))
            )
    return tuple(out)


def checks(labels: Labels, taught: dict[int, Teacher], names: Sequence[str]) -> tuple[Check, ...]:
    """The radii of each scheme that fills images of another, on what labels those have of its own points."""
    out = []
    for t, name in enumerate(names):
        filled = [s for s in range(len(names)) if s != t and any((one.source[s] == t).any() for one in taught.values())]
        strange = np.isin(labels.scheme, filled)
        if not strange.any():
            continue
        parts: dict[bool, list[Floats]] = {True: [], False: []}
        for own, one in taught.items():
            found, spread = one.answers.by(t)
            away = lengths(found - labels.truth)
            within = _within(away, one.factor[t] * spread)
            for out_of_training in parts:
                rows = strange & ((labels.fold == own) == out_of_training)
                parts[out_of_training].append(within[rows][:, labels.masks[t]].ravel())
        there, trained = (np.concatenate(parts[key]) for key in (True, False))
        if (count := int(np.isfinite(there).sum())) > 0:
            out.append(Check(name, count, _mean(there), _mean(trained)))
    return tuple(out)


def _held(labels: Labels, taught: dict[int, Teacher], away: Floats, spread: Floats) -> Floats:
    """(N, K) 1 where an image's label is within the radius of its own fold's answer, 0 where not, NaN = unknown."""
    out = np.full(away.shape, np.nan)
    for own, one in taught.items():
        rows = labels.fold == own
        out[rows] = _within(away[rows], one.factor[labels.scheme[rows]] * spread[rows])
    return out


def _within(away: Floats, radius: Floats) -> Floats:
    return np.where(np.isnan(away) | np.isnan(radius), np.nan, away <= radius)


def _mean(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def _median(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if known.size else float("nan")
