"""What a run gains on another of the same data, over all images and scheme by scheme."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kptool.compare.against import differences
from kptool.compare.read import read
from kptool.compare.values import Difference
from kptool.dataset import Mask

SEED = 0
"""Of the bootstrap."""


class Gain(NamedTuple):
    """Some images, and the new run against the old on them, on the labels as given."""

    part: str
    difference: Difference


def gains(old: Path, new: Path) -> tuple[tuple[Gain, ...], str, str]:
    """The paired difference over the images both predicted: of all, then of each marking scheme where there are two.

    Returns:
        The differences with their intervals; the competition's metric and its unit.

    Raises:
        KptoolError: runs that cannot be held against each other, see `kptool.compare`.
    """
    both = read([old, new])
    first = both[0].outcome
    parts: list[tuple[str, Mask]] = [("all images", np.ones(len(first.ids), dtype=np.bool_))]
    if len(first.schemes) > 1:
        parts += [(f"images of {name}", first.scheme == s) for s, name in enumerate(first.schemes.names)]
    out = []
    for part, rows in parts:
        names = set(first.ids[rows & (first.fold >= 0)].tolist())
        some = [
            replace(
                one, outcome=replace(one.outcome, fold=np.where(_among(one.outcome.ids, names), one.outcome.fold, -1))
            )
            for one in both
        ]
        if names and all((one.outcome.fold >= 0).any() for one in some):
            out.append(Gain(part, next(differences(some, 0, SEED))))
    return tuple(out), first.metric.upper(), "%" if first.metric == "nme" else "px"


def _among(ids: np.ndarray[tuple[int], np.dtype[np.str_]], names: set[str]) -> Mask:
    return np.array([str(v) in names for v in ids], dtype=np.bool_)
