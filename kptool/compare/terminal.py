"""A comparison in a terminal of 80 columns or more: what does not fit is left out and named, never folded to pieces."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from kptool.compare.cells import Column
from kptool.compare.columns import columns, verdicts
from kptool.compare.notes import MARKED
from kptool.compare.recipes import in_words
from kptool.compare.values import Comparison
from kptool.report.pen import Pen
from kptool.report.words import count

PART = 3  # settings, and cells that are not folded, may fill one part in so many of the width
VERDICT = 16  # cells
ALWAYS = 99  # the need of a column that is never left out
FULL = 10_000  # cells: wider than any table


def render(made: Comparison, console: Console, fit: bool = True) -> None:
    """Print both tables and the notes.

    Args:
        fit: keep to the console's width; else every column is printed, and every note is one line.
    """
    if not fit:
        console.width = FULL
    pen = Pen(console)
    metric = f"{made.metric} over the {made.normaliser}" if made.normaliser else made.metric
    shared = f"{count(made.lines[0].common.images)} {made.things} that all runs predicted"
    about = filter(None, [made.title, metric, made.protocol, made.alignment])
    console.print(pen.flow([*about, f"{len(made.trained)} runs", shared], "bold"))
    for block in (*_runs(pen, made), _differences(pen, made)):
        console.print("", block, sep="\n")
    console.print()
    marked = any(cell.best for column in columns(made) for cell in column.cells)
    for note in (*([f"* = {MARKED[made.best]} of its column."] if marked else []), *made.notes):
        console.print(pen.text(note, "dim"))


def _runs(pen: Pen, made: Comparison) -> list[RenderableType]:
    wide, room = columns(made), pen.console.width
    aside = [column for column in wide if column.setting]
    whole = pen.width(_table(pen, wide))
    if whole <= room or pen.width(_table(pen, aside)) <= room / PART:
        return [_fitted(pen, wide, room)]
    table = _fitted(pen, [column for column in wide if not column.setting], room)
    return [table, _below(pen, made)]


def _fitted(pen: Pen, wide: Sequence[Column], room: int) -> RenderableType:
    """A table of the columns that fit, the most needed ones, and the names of the others."""
    kept, left_out = _keep(pen, wide, room)
    if not left_out:
        return _table(pen, kept)
    names = ", ".join(column.name for column in left_out)
    words = f"Too wide for {pen.console.width} columns: {names}; a wider terminal or --csv - has them."
    return Group(_table(pen, kept), pen.text(words, "dim"))


def _keep(pen: Pen, wide: Sequence[Column], room: int) -> tuple[list[Column], list[Column]]:
    kept, left_out = list(wide), []
    while pen.width(_table(pen, kept)) > room and (least := min(kept, key=lambda column: column.need)).need < ALWAYS:
        left_out.append(least)
        kept.remove(least)
    return kept, left_out


def _table(pen: Pen, wide: Sequence[Column]) -> Table:
    table = pen.table(*("<" if column.words else "" for column in wide))
    for place, column in zip(table.columns, wide, strict=True):  # a name from a file may hold what `Pen.table` parts
        place.header = Text("\n").join([pen.text(column.title), pen.text(column.unit)])
        longest = max(cell_len(cell.text) for cell in column.cells)
        place.no_wrap = longest <= pen.console.width / PART  # sentences may be folded, names only if they must
    marked = [any(cell.best for cell in column.cells) for column in wide]
    for cells in zip(*(column.cells for column in wide), strict=True):
        # The mark stands in a place of its own, so that the digits of a column stay under each other.
        texts = (f"{c.text}{'*' if c.best else ' ' if mark else ''}" for c, mark in zip(cells, marked, strict=True))
        table.add_row(*map(pen.text, texts))
    return table


def _below(pen: Pen, made: Comparison) -> RenderableType:
    """The settings that differ, a paragraph a run."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    for line, words in zip(made.lines, in_words(made), strict=True):
        if words:  # an ensemble has no recipe
            grid.add_row(pen.text(line.name), pen.text(words))
    return Group(pen.section("Settings that differ"), grid)


def _differences(pen: Pen, made: Comparison) -> RenderableType:
    base = made.lines[made.base].name
    what, side = ("accuracy", "above") if made.higher_is_better else ("error", "below")
    notes = [f"difference = the run's {what} less the other's", f"{side} 0 is better"]
    *figures, verdict = verdicts(made)
    # The verdict may be folded, so it is only given what a few of its words need.
    kept, left_out = _keep(pen, figures, pen.console.width - min(VERDICT, pen.width(_table(pen, [verdict]))))
    names = [f"not shown: {', '.join(column.name for column in left_out)}"] if left_out else []
    table = _table(pen, [*kept, verdict])
    table.columns[-1].no_wrap = False
    return Group(pen.section(f"Against {base}", *notes, *names), table)
