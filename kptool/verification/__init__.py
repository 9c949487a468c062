"""The report of a verification run: `load` reads a run, `build` makes the figures, `terminal` shows them."""

from __future__ import annotations

from kptool.report.values import plain
from kptool.verification.build import build
from kptool.verification.outcome import PairOutcome
from kptool.verification.values import PairReport

__all__ = ["PairOutcome", "PairReport", "build", "to_json"]


def to_json(report: PairReport) -> dict[str, object]:
    """The report as a table of plain values that ``json.dumps(allow_nan=False)`` takes; NaN becomes null."""
    table = plain(report)
    assert isinstance(table, dict)
    return {"format": 1, **table}
