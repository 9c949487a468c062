"""A fold's curves: history.csv, one row an epoch."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import NamedTuple

from kptool.files import write_text


class Epoch(NamedTuple):
    """What one epoch left behind.

    Attributes:
        epoch: 1, 2, …
        loss: mean training loss.
        heldout: held-out score, RMSE in px or EER in %, None where it was not evaluated.
        seconds: training time so far, over all sittings, without evaluation.
        images_per_second: rows (images or pairs) of this epoch's training steps.
    """

    epoch: int
    loss: float
    heldout: float | None
    seconds: float
    images_per_second: float


def write_history(path: Path, history: list[Epoch]) -> None:
    """Write the curves whole, so that a resumed fold's file has no seam."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Epoch._fields)
    for row in history:
        writer.writerow(["" if value is None else value for value in row])
    write_text(path, text.getvalue())


def read_history(path: Path) -> list[Epoch]:
    """Read `write_history` back."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    return [Epoch(int(e), float(loss), float(h) if h else None, float(s), float(v)) for e, loss, h, s, v in rows]
