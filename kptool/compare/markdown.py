"""A comparison as GitHub tables, to be pasted in a README."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kptool.compare.cells import Cell
from kptool.compare.columns import columns, verdicts
from kptool.compare.notes import MARKED
from kptool.compare.values import Comparison

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~$#!&@])")  # what GitHub may read as markup, a mention or the cell's end


def to_markdown(made: Comparison) -> str:
    """Both tables and the notes; the best of a column is bold."""
    wide = columns(made)
    heads = [column.name for column in wide]
    rows = [[_cell(cell) for cell in cells] for cells in zip(*(column.cells for column in wide), strict=True)]
    found = verdicts(made)
    low = [[_cell(cell) for cell in cells] for cells in zip(*(column.cells for column in found), strict=True)]
    tables = [
        _table(heads, [column.words for column in wide], rows),
        _table([column.name for column in found], [column.words for column in found], low),
    ]
    marked = any(cell.best for column in wide for cell in column.cells)
    said = [*([f"Bold = {MARKED[made.best]} of its column."] if marked else []), *made.notes]
    return "\n".join([*tables, *(f"- {escape(note)}" for note in said), ""])


def escape(words: str) -> str:
    """Words that stay words in Markdown, on one line."""
    plain = "".join(c if c.isprintable() else " " for c in words)
    return _SPECIAL.sub(r"\\\1", plain)


def _cell(cell: Cell) -> str:
    return f"**{escape(cell.text)}**" if cell.best else escape(cell.text)


def _table(heads: Sequence[str], words: Sequence[bool], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---" if left else "---:" for left in words]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in ([escape(head) for head in heads], rule, *rows))
