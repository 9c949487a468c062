"""track.json: under which id a tracker knows a run, so that a resumed one goes on there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final, NamedTuple

from kptool.errors import DataError
from kptool.files import write_text

FILE: Final = "track.json"


class Kept(NamedTuple):
    """What is kept for one tracker.

    Attributes:
        id: the tracker's own name of the run.
        epochs: fold -> the last epoch sent; empty where the tracker itself can be asked.
    """

    id: str
    epochs: dict[int, int]


def read_kept(folder: Path, tracker: str) -> Kept | None:
    """What a run's folder keeps for a tracker; None where it is nothing.

    Raises:
        DataError: the file is damaged.
    """
    one = _table(folder / FILE).get(tracker)
    if one is None:
        return None
    try:
        kept = Kept(str(one["id"]), {int(fold): int(epoch) for fold, epoch in one["epochs"].items()})
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _damaged(folder / FILE) from None
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", kept.id):  # it becomes part of addresses and of files' names
        raise _damaged(folder / FILE)
    return kept


def write_kept(folder: Path, tracker: str, kept: Kept) -> None:
    """Keep something for a tracker; what is kept for others stays."""
    table = _table(folder / FILE) | {tracker: {"id": kept.id, "epochs": {str(k): v for k, v in kept.epochs.items()}}}
    write_text(folder / FILE, json.dumps(table, indent=2, sort_keys=True) + "\n")


def _table(file: Path) -> dict[str, Any]:
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError):
        raise _damaged(file) from None
    if not isinstance(table, dict):
        raise _damaged(file)
    return table


def _damaged(file: Path) -> DataError:
    return DataError(f"{file} is damaged", "delete it, and the tracker begins a new run")
