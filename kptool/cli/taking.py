"""Training data as the command line takes it in, whatever the task, and what it says of it."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape

from kptool.competitions import Found
from kptool.config import Recipe
from kptool.engine.cross_validate import Taken
from kptool.intake import Intake, take_in
from kptool.pair_intake import PairIntake, take_in_pairs
from kptool.pixels import Tick


def take_in_any(
    found: Found, recipe: Recipe, data: Path | None, saved: Path | None = None, tick: Tick | None = None
) -> Taken:
    """`take_in` or `take_in_pairs`, as the competition's task has it."""
    if found.competition.task == "verification":
        return take_in_pairs(found, recipe, data, saved)
    return take_in(found, recipe, data, saved, tick)


def say_what_came_in(console: Console, found: Found, recipe: Recipe, taken: Taken) -> None:
    """Say what was read, how it may be split, and what a user should know of it."""
    told = _pairs(taken) if isinstance(taken, PairIntake) else _images(taken)
    console.print(
        f"{escape(found.competition.title)}: {escape(told)}; "
        f"recipe {escape(recipe.name)} {recipe.digest}, {recipe.folds.count} folds",
        soft_wrap=not console.is_terminal,
    )
    for note in taken.notes:
        console.print(f"note: {escape(note)}", soft_wrap=not console.is_terminal)


def _images(taken: Intake) -> str:
    names = ", ".join(
        f"{int((taken.scheme == s).sum())} marked with {name}" for s, name in enumerate(taken.schemes.names)
    )
    return f"{len(taken.dataset)} images ({names}), {_groups(taken)} groups that must not part"


def _pairs(taken: PairIntake) -> str:
    pairs = taken.pairs
    same = int(pairs.same.sum())
    return (
        f"{len(pairs)} pairs ({same} of one person, {len(pairs) - same} of two) of {len(pairs.images)} pictures of "
        f"{len(pairs.people)} people, {_groups(taken)} groups that must not part; {pairs.protocol}, {pairs.alignment}"
    )


def _groups(taken: Taken) -> int:
    return int(taken.folds.group.max()) + 1
