"""Folders of runs to their comparison, whatever their task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kptool.compare.build import compare
from kptool.compare.pairs import compare_pairs
from kptool.compare.read import of_pairs, open_runs, read, read_pairs
from kptool.compare.values import Comparison, Rows
from kptool.report.bootstrap import SEED


def compare_runs(paths: Sequence[Path], base: int = 0, rows: Rows = "common", seed: int = SEED) -> Comparison:
    """`compare` or `compare_pairs`, as the runs' competition says; the only place that asks for its task.

    Raises:
        UsageError: fewer than two runs, or runs of different competitions or tasks.
        DataError: a run without a finished fold or with a damaged file; runs of different data.
    """
    if of_pairs(open_runs(paths)):
        return compare_pairs(read_pairs(paths), base, rows, seed)
    return compare(read(paths), base, rows, seed)
