"""Soft labels as a table, as lines and as JSON."""

from __future__ import annotations

import math
from typing import Any

from rich.table import Table

from kptool.relabel.values import Relabelled
from kptool.report.pen import Pen
from kptool.report.words import count, figure


def table(pen: Pen, made: Relabelled) -> Table:
    """One line a point and filling scheme."""
    out = pen.table("<point", "<filled by", "missing", "filled", "radius/px", "RMSE/px", "held/%")
    for one in made.points:
        share = figure(100 * one.held, 1)
        numbers = (count(one.missing), count(one.filled), figure(one.radius), figure(one.rmse, 3), share)
        out.add_row(*map(pen.text, (one.point, one.scheme or "nobody", *numbers)))
    return out


def lines(made: Relabelled) -> list[str]:
    """What the columns mean, and how far the radii can be believed."""
    level = f"{100 * made.about.level:g} %"
    out = [
        f"Radius: holds {level} of the truth, median over the soft labels. RMSE and held: of the teachers, on images "
        "of the filling scheme that they never saw; held = share of labels within their radius."
    ]
    for one in made.checks:
        out.append(
            f"On images marked by another scheme the radii of {one.scheme} hold {100 * one.held:.1f} % of the "
            f"{count(one.labels)} labels that both schemes have, placed by other rules: a floor, no coverage "
            f"({100 * one.trained:.1f} % in images that the teacher was trained on)."
        )
    return [*out, *made.notes]


def rows_json(made: Relabelled) -> dict[str, Any]:
    """Everything but the soft labels themselves, as ``json.dumps(allow_nan=False)`` takes it."""
    return {
        "teacher": made.about.teacher,
        "teacher_digest": made.about.teacher_digest,
        "level": made.about.level,
        "folds": made.about.folds,
        "filled": made.filled,
        "points": [_plain(one._asdict()) for one in made.points],
        "checks": [_plain(one._asdict()) for one in made.checks],
        "notes": list(made.notes),
    }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}
