"""What of the recipes differs, in few words."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from itertools import takewhile
from typing import Final, TypeGuard

from kptool.config import Recipe, flat

VAGUE: Final = ("count", "low", "high")  # names that only mean something with their section


def differing(recipes: Sequence[Recipe]) -> tuple[str, ...]:
    """The keys of the settings that are not the same in all recipes, in the recipe's order; names do not count."""
    tables = [flat(recipe) for recipe in recipes]
    return tuple(key for key in tables[0] if key != "name" and any(table[key] != tables[0][key] for table in tables))


def short(key: str, taken: Sequence[str] = ()) -> str:
    """train.lr -> lr, where no other setting and no column is called so; predict.mirror stays."""
    last = key.rpartition(".")[2]
    times = Counter(known.rpartition(".")[2] for known in flat(Recipe()))
    return last if times[last] == 1 and last not in (*VAGUE, *taken) else key


def texts(values: Sequence[object]) -> tuple[str, ...]:
    """One setting's values over all runs as text; of lists, only what differs, between dots for what does not."""
    lists = [value for value in values if _is_words(value)]
    if len(lists) < len(values):
        return tuple(map(text, values))
    first = _shared(lists)
    lists = [items[first:] for items in lists]
    last = _shared([items[::-1] for items in lists])
    before, after = "… " if first else "", " …" if last else ""
    return tuple(f"{before}{', '.join(items[: len(items) - last]) or '–'}{after}" for items in lists)


def text(value: object) -> str:
    """A setting as text: true, 0.002, kptiny; a dash for an empty one, nothing for one that there is none of."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value or "–"
    if _is_words(value):
        return ", ".join(value) or "–"
    if isinstance(value, list):  # label edits, by the hundred
        return f"{len(value)} ({hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:4]})"
    return json.dumps(value)


def _is_words(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _shared(lists: Sequence[Sequence[str]]) -> int:
    """How many items all lists begin with alike."""
    return sum(1 for _ in takewhile(lambda items: len(set(items)) == 1, zip(*lists, strict=False)))


def loss_name(recipe: Recipe, auto: str = "smooth-l1") -> str:
    """The training loss; what "auto" stands for is told by the head, or else it is `auto`, the task's own."""
    if recipe.train.loss != "auto":
        return recipe.train.loss
    return {"heatmap": "mse", "simcc": "cross-entropy"}.get(recipe.model.head, auto)


def but_for_the_seed(recipe: Recipe) -> str:
    """A digest that recipes share where they differ by seed and name only."""
    return recipe.model_copy(update={"seed": 0}).digest
