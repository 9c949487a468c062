"""The cells of a table of runs: figures with their best marked, words, and what groups of seeds make of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kptool.compare.values import Best, Comparison, Line, Seeds
from kptool.report.words import count, figure

Number = Callable[[Line], float]


@dataclass(frozen=True)
class Cell:
    """One figure or word; `best` marks the best of its column."""

    text: str
    best: bool = False


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        title, unit: its head.
        need: how much it is missed where the terminal is too narrow; 0 is left out first.
        cells: of all runs, then of the groups of seeds.
        words: whether it holds words, which stand to the left.
        setting: whether it is a setting of the recipe.
    """

    title: str
    unit: str
    need: int
    cells: tuple[Cell, ...]
    words: bool = False
    setting: bool = False

    @property
    def name(self) -> str:
        """The head on one line."""
        return f"{self.title}{'' if self.unit[:1] == '/' else ' '}{self.unit}".strip()


def figures(
    made: Comparison,
    head: tuple[str, str],
    need: int,
    get: Number,
    places: int = 0,
    best: Best = "",
    show: Callable[[float], str] | None = None,
    fair: bool | None = None,
) -> Column:
    """A column of numbers; of groups of seeds the mean, of scores with its deviation too.

    Args:
        places: decimals; 0 = a count.
        best: of scores, whether the lowest or the highest is marked, where all are of one set of images.
        fair: whether they are, where it is not the scores shown that decide it.
        show: how a number is written, instead of `places`.
    """
    write = show or (lambda value: figure(value, places) if places else count(round(value)))
    values = [get(line) for line in made.lines]
    marked = _best(values, best if (made.comparable if fair is None else fair) else "")
    cells = [Cell("" if math.isnan(v) else write(v), n in marked) for n, v in enumerate(values)]
    groups = [_of_seeds(values, group, write, best != "") for group in made.seeds]
    return Column(*head, need, (*cells, *map(Cell, groups)))


def _of_seeds(values: Sequence[float], group: Seeds, write: Callable[[float], str], score: bool) -> str:
    own = np.array([values[place] for place in group.lines])
    if np.isnan(own).any():
        return ""
    spread = f" ± {write(float(own.std(ddof=1)))}" if score else ""
    return f"{write(float(own.mean()))}{spread}"


def _best(values: Sequence[float], best: Best) -> set[int]:
    """Places of the lowest or highest, where not all are the same."""
    known = [value for value in values if not math.isnan(value)]
    if not best or len(set(known)) < 2:
        return set()
    wanted = min(known) if best == "lowest" else max(known)
    return {place for place, value in enumerate(values) if value == wanted}


def worded(made: Comparison, title: str, need: int, get: Callable[[Line], str]) -> Column:
    """A column of words; of groups of seeds only what all of them share."""
    each = [get(line) for line in made.lines]
    groups = [", ".join(dict.fromkeys(each[place] for place in group.lines)) for group in made.seeds]
    groups = ["" if "," in text else text for text in groups]
    return Column(title, "", need, tuple(map(Cell, [*each, *groups])), words=True)


def four(value: float) -> str:
    """Four digits that count."""
    return f"{value:.4g}"
