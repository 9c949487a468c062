"""An audit in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Final

from rich.cells import cell_len
from rich.console import Console

from kptool.audit.build import Audit
from kptool.audit.score import STRONG
from kptool.audit.suggestion import Suggestion
from kptool.report.pen import Pen

SHOWN: Final = 20
BESIDE: Final = 60  # cells a reason needs to stand beside its row; else it goes below
HEADS: Final = ("rank", "id", "fold", "scheme", "action", "points", "evidence")
RIGHT: Final = (0, 2, 5, 6)  # columns of numbers
INDENT: Final = 6


def render(made: Audit, console: Console, fit: bool = True) -> None:
    """Print the first suggestions and the notes.

    Args:
        fit: fold reasons to the console's width; else each is one line.
    """
    pen, shown = Pen(console), made.suggestions[:SHOWN]
    head = [f"{made.run}: labels to look at", f"{made.images} images", f"{made.suspects} with evidence above 0"]
    console.print(pen.flow([*head, f"{len(made.strong)} edits at {STRONG:.1f} or more"], "bold"))
    if shown:
        console.print()
        rows = [_cells(pen, one) for one in shown]
        widths = [max(cell_len(cell) for cell in column) for column in zip(HEADS, *rows, strict=True)]
        console.print(pen.text(_line(HEADS, widths), "dim"), soft_wrap=True)
        for one, cells in zip(shown, rows, strict=True):
            for line in _block(pen, _line(cells, widths), one.reason, fit):
                console.print(pen.text(line), soft_wrap=True)
    console.print()
    if len(made.suggestions) > len(shown):
        console.print(pen.text(f"{len(made.suggestions) - len(shown)} more are in suggestions.csv.", "dim"))
    if made.strong:
        words = "* = its edit is written: wrong is likelier than right, if one image in a hundred has something wrong"
        more = ", and most models contradict the label that they know and agree with each other" if made.voices else ""
        console.print(pen.text(f"{words}{more}.", "dim"))
    if any(one.kind == "face" for one in made.suggestions):
        words = "drop? = the models find no face to agree on: such labels are mostly right, and missed when left out."
        console.print(pen.text(words, "dim"))
    for note in made.notes:
        console.print(pen.text(note, "dim"))


def _cells(pen: Pen, one: Suggestion) -> list[str]:
    about = len(one.points) + len(one.masked)
    cells = [str(one.rank), one.id, str(one.fold), one.scheme, one.shown, f"{about}/{one.labelled}"]
    return [pen.text(cell).plain for cell in (*cells, f"{one.score:.1f}{'*' if one.strong else ' '}")]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        f"{' ' * (width - cell_len(cell))}{cell}" if place in RIGHT else f"{cell}{' ' * (width - cell_len(cell))}"
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded)


def _block(pen: Pen, line: str, reason: str, fit: bool) -> list[str]:
    """A row and its reason, beside it where there is room."""
    words, room = pen.text(reason).plain, pen.console.width - cell_len(line) - 3
    if not fit:
        return [f"{line}  {words}"]
    if room >= BESIDE:
        first, *more = wrap(words, room)
        return [f"{line}  {first}", *(" " * (cell_len(line) + 2) + part for part in more)]
    return [line, *(" " * INDENT + part for part in wrap(words, max(20, pen.console.width - INDENT - 1)))]
