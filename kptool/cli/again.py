"""A run's recipe, changed, trained again as the run itself was, so that nothing but the change parts the two."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape

from kptool.cli.sitting import Sitting, followed, train
from kptool.cli.terminal import counting
from kptool.compare.gain import Gain, lines
from kptool.config import Recipe
from kptool.device import pick_device
from kptool.engine.cross_validate import begin, refuse_other_weights
from kptool.engine.of_points import refuse_other_schemes
from kptool.errors import KptoolError, UsageError
from kptool.folds import load as load_folds
from kptool.intake import Intake, take_in
from kptool.report.pen import Pen
from kptool.runs import Run, open_run, unfinished, write_env


def train_again(console: Console, run: Run, recipe: Recipe, root: Path, workers: int | None) -> Run:
    """Train another recipe on a run's own data and folds, those that the run has finished, on its device.

    A run of this very recipe that was cut off is gone on with, if it would end as the same run.

    Args:
        run: no ensemble; at least one of its folds is finished.
        recipe: the run's own but for what is trained on.
        root: where the new run is kept.

    Returns:
        The new run, finished.

    Raises:
        UsageError: the marking schemes have changed since, or another process trains the new run.
        DataError: the data, the weights or a file that the recipe names have changed since.
    """
    new, intake = _begin_again(console, run, recipe, root)
    if (there := _machine(new)) != (here := _machine(run)):
        _note(console, f"{run.path.name} was trained {here}, this is {there}: part of any difference")
    with followed(console, new, {}) as follower:
        train(console, new, intake, workers, follower)
    return open_run(new.path)


def say_gains(console: Console, run: Run, made: Run, found: Sequence[Gain]) -> None:
    """Say what the new run gained on the old one, and what to type next."""
    console.print()
    for line in lines(found):
        console.print(Pen(console).text(line), soft_wrap=not console.is_terminal)
    line = shlex.join(["kptool", "compare", str(run.path), str(made.path)])
    console.print(f"\nnext: {escape(line)}", soft_wrap=True)


def _begin_again(console: Console, run: Run, recipe: Recipe, root: Path) -> Sitting:
    refuse_other_weights(run)
    env, device = run.env, _device(run)
    with counting(console, "reading and checking the data") as tick:
        data = Path(env["data"]) if env["data"] else None
        intake = take_in(run.found, recipe, data, run.path / "folds.parquet", tick)
    refuse_other_schemes(run, intake)
    for note in intake.notes:
        _note(console, note)
    wanted = {"folds": run.finished, "device": device, "weights_digest": env["weights_digest"]}
    if device == env["device"]:  # "auto" is timed, and must not part the two runs
        wanted["precision"] = env["precision"]
    old = unfinished(root, run.found, recipe)
    if old is not None and _will_be_the_same(old, recipe, intake, wanted):
        return Sitting(old, intake)
    with counting(console, "preparing pixels, timing this machine") as tick:
        new = begin(root, run.found, recipe, intake, {"data": env["data"]} | wanted, tick)
    write_env(new.path, new.env | wanted)
    return Sitting(new, intake)


def _will_be_the_same(old: Run, recipe: Recipe, intake: Intake, wanted: dict[str, object]) -> bool:
    """Whether a run of a recipe of the same digest, gone on with, is one that was begun now."""
    if old.recipe.data.soft != recipe.data.soft or any(old.env.get(key) != value for key, value in wanted.items()):
        return False
    try:
        folds = load_folds(old.path / "folds.parquet", intake.dataset.digest, intake.dataset.ids)
    except KptoolError:  # of other data, or damaged
        return False
    return np.array_equal(folds.fold, intake.folds.fold)


def _device(run: Run) -> str:
    """The run's own device, or the best there is where it is gone."""
    try:
        return pick_device(str(run.env["device"]))
    except UsageError:
        return pick_device("auto")


def _machine(run: Run) -> str:
    return f"on {run.env['device']} in {run.env['precision']}"


def _note(console: Console, words: str) -> None:
    console.print(f"note: {escape(words)}", soft_wrap=not console.is_terminal)
