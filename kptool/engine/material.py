"""What the engine needs of training data, whatever the task: rows that are split, learned from and answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kptool.dataset import Ints
from kptool.folds import Folds
from kptool.runs import Run
from kptool.tasks.contract import Task


@dataclass(frozen=True)
class Material:
    """A competition's training data, checked, split, and with its pictures in the cache.

    Attributes:
        folds: who is held out when, over rows.
        training: fold -> the rows that it learns from.
        facts: what env.json keeps of the data.
        build: (device, precision) -> the task in a worker; pickles.
        write: lays down in a new run's folder what reports need; folds.parquet among it, last.
        join: writes a run's oof.parquet from those of its finished folds.
    """

    folds: Folds
    training: Callable[[int], Ints]
    facts: dict[str, Any]
    build: Callable[[str, str], Task]
    write: Callable[[Path], None]
    join: Callable[[Run], None]
