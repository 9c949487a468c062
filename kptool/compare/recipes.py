"""What differs between the recipes of a comparison: as columns, and as sentences where columns have no room."""

from __future__ import annotations

from typing import Final

from kptool.compare.cells import Cell, Column
from kptool.compare.settings import short, text, texts
from kptool.compare.values import Comparison

TAKEN: Final = ("epochs",)  # a name of a column of figures


def settings(made: Comparison) -> list[Column]:
    """The settings that differ."""
    out = []
    for key in _shown(made):
        values = [line.settings.get(key) for line in made.lines]
        words = texts(values)
        joined = [", ".join(dict.fromkeys(words[place] for place in group.lines)) for group in made.seeds]
        numbers = all(isinstance(value, int | float | None) for value in values)
        cells = tuple(map(Cell, [*words, *joined]))
        out.append(Column(short(key, TAKEN), "", 20, cells, words=not numbers, setting=True))
    return out


def in_words(made: Comparison) -> list[str]:
    """The settings that differ, a sentence a run: how it differs from the run above that is most like it."""
    keys, out = _shown(made), []
    for place, line in enumerate(made.lines):
        earlier = [one for one in made.lines[:place] if one.settings] if line.settings else []
        others = {one.name: [key for key in keys if one.settings[key] != line.settings[key]] for one in earlier}
        near = min(others, key=lambda name: len(others[name]), default=None)
        if near is None:
            words = [f"{short(key, TAKEN)} {text(line.settings[key])}" for key in keys if key in line.settings]
            out.append(" · ".join(words))
            continue
        like = next(one for one in earlier if one.name == near)
        changes = [f"{short(k, TAKEN)} {texts([like.settings[k], line.settings[k]])[1]}" for k in others[near]]
        out.append(f"as {near}{' but ' if changes else ''}{' · '.join(changes)}")
    return out


def _shown(made: Comparison) -> list[str]:
    """The epochs only where they are not what was trained, which is a column of its own."""
    trained = [line.epochs for line in made.trained]
    asked = [line.settings.get("train.epochs") for line in made.trained]
    return [key for key in made.settings if key != "train.epochs" or asked != trained]
