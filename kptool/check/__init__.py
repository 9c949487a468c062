"""What is wrong with data, before anything is trained on it: values in, findings out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import groupby
from typing import Literal

import numpy as np

from kptool.check import copies, facts, labels, pictures, places
from kptool.check.look import look
from kptool.check.shapes import LEAST_POINTS, LEAST_ROWS
from kptool.check.values import ORDER, Facts, Finding, Item, Part, Report, Row

__all__ = ["ORDER", "Facts", "Finding", "Item", "Part", "Report", "Row", "examine", "look"]


def examine(
    parts: list[Part],
    outside: Literal["keep", "mask", "fail"] = "fail",
    notes: tuple[str, ...] = (),
    doing: Callable[[str], object] | None = None,
) -> Report:
    """Check opened data.

    Args:
        parts: the training part, and the test part if there is one.
        outside: the recipe's data.outside.
        notes: what could not be looked at, for the report.
        doing: told what is done next, in a few words.
    """
    tell = doing or (lambda _: None)
    found: list[Finding] = []
    for part in parts:
        tell(f"checking the {part.name} labels")
        found += [*pictures.findings(part), *places.findings(part, outside), *labels.findings(part)]
        found += _unlabelled(part)
    tell("comparing pictures")
    twins = copies.find(parts)
    found += copies.findings(parts, twins)
    groups = dict(zip(twins.rows, twins.group.tolist(), strict=True))
    counted = tuple(facts.count(part, groups) for part in parts)
    return Report(counted, _joined(found), (*notes, *_blind(parts[0])))


def _unlabelled(part: Part) -> list[Finding]:
    labelled = part.dataset.labelled
    if not labelled.any() or labelled.any(1).all():
        return []
    remedy = "training leaves them out; label them or take them out"
    return [
        Finding(
            "nothing-labelled",
            "warning",
            "rows without any labelled point",
            remedy,
            part.items(np.asarray(~labelled.any(1))),
        )
    ]


def _joined(found: list[Finding]) -> tuple[Finding, ...]:
    """One finding a kind and level, in ORDER, errors first; those of train and test are put together."""

    def rank(finding: Finding) -> tuple[bool, int]:
        return finding.level == "warning", ORDER.index(finding.kind)

    kinds = [list(same) for _, same in groupby(sorted(found, key=rank), key=rank)]
    return tuple(replace(same[0], items=tuple(item for one in same for item in one.items)) for same in kinds)


def _blind(part: Part) -> tuple[str, ...]:
    """What the labels do not allow to be looked at."""
    schema, most = part.dataset.schema, int(part.dataset.labelled.sum(1).max(initial=0))
    if not most:
        return ("nothing is labelled: shapes were not looked at",)
    enough = int((part.dataset.labelled.sum(1) >= LEAST_POINTS).sum())
    if enough < LEAST_ROWS:
        need = f"{LEAST_ROWS} rows with {LEAST_POINTS} points"
        return (f"shapes and swaps were not looked at: that takes {need}, and there are {enough}",)
    if not schema.mirror or not np.any(np.array(schema.mirror) != np.arange(len(schema.points))):
        return ("swaps were not looked for: no left/right pairs are known",)
    return ()
