"""One sitting of a cross-validation at the terminal: begin or go on, train, and say what came of it."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import typer
from rich.console import Console
from rich.markup import escape

from kptool import verification
from kptool.cli.live import Live, say
from kptool.cli.taking import say_what_came_in, take_in_any
from kptool.cli.terminal import counting
from kptool.competitions import change_recipe, find, read_recipe
from kptool.config import Recipe
from kptool.device import pick_device, pick_workers
from kptool.engine import cross_validate
from kptool.engine.cross_validate import Taken, wanted_folds
from kptool.engine.of_points import refuse_other_schemes
from kptool.engine.progress import MEASURES, Progress
from kptool.errors import KptoolError, UsageError
from kptool.intake import Intake
from kptool.pictures import cached_frames, contrasts
from kptool.report import build, to_json
from kptool.report.load import load
from kptool.report.terminal import render
from kptool.runs import Run, lock, open_run, refuse_changes, unfinished, write_env
from kptool.track import Tracker
from kptool.track.facts import facts_of, pair_scores_of, scores_of
from kptool.track.follower import Follower
from kptool.verification.load import load as load_pairs
from kptool.verification.terminal import render as render_pairs


@dataclass(frozen=True)
class Wish:
    """What the user typed."""

    competition: str | None
    data: Path | None
    recipe: str
    changes: tuple[str, ...]
    folds: str | None
    device: str
    runs: Path


class Sitting(NamedTuple):
    """A run and the data it trains on."""

    run: Run
    taken: Taken


def begin(console: Console, wish: Wish) -> Sitting:
    """Begin a run; where the very same one was cut off before, offer to go on with it instead."""
    found = find(wish.competition or "")
    recipe = read_recipe(found, wish.recipe, list(wish.changes))
    wanted, device = wanted_folds(wish.folds, recipe.folds.count), pick_device(wish.device)
    old = unfinished(wish.runs, found, recipe)
    if old is not None and _wants_old(console, old):
        return resume_run(console, wish, old.path)
    with counting(console, "reading and checking the data") as tick:
        taken = take_in_any(found, recipe, wish.data, tick=tick)
    say_what_came_in(console, found, recipe, taken)
    env = {"data": str(wish.data.resolve()) if wish.data else None, "device": device, "folds": wanted}
    with counting(console, "preparing pixels, timing this machine") as tick:
        run = cross_validate.begin(wish.runs, found, recipe, taken, env, tick)
    return Sitting(run, taken)


def resume_run(console: Console, wish: Wish, path: Path) -> Sitting:
    """Open a run that was cut off, with the data it was made for and its own folds.

    Raises:
        UsageError: the recipe, the competition or the device was changed.
        DataError: the data was changed.
    """
    run = open_run(path)
    refuse_changes(run, _recipe_again(run, wish))
    _refuse_device(run, wish.device)
    cross_validate.refuse_other_weights(run)
    env = run.env
    if wish.folds is not None:
        wanted = wanted_folds(wish.folds, run.recipe.folds.count)
        with lock(run):  # a run that another process trains must not learn of more folds from us
            write_env(run.path, env | {"folds": sorted({*run.wanted, *wanted})})
    data = wish.data or (Path(env["data"]) if env["data"] else None)
    with counting(console, "reading and checking the data") as tick:
        taken = take_in_any(run.found, run.recipe, data, run.path / "folds.parquet", tick)
    if isinstance(taken, Intake):
        refuse_other_schemes(run, taken)
    return Sitting(run, taken)


def _recipe_again(run: Run, wish: Wish) -> Recipe:
    """The run's recipe as the command line has it this time."""
    changes, own = list(wish.changes), run.found
    if wish.competition is None and wish.recipe == "default":  # none was named
        return change_recipe(own, run.recipe, changes)
    found = own if wish.competition is None else find(wish.competition)
    if found.folder.resolve() != own.folder.resolve():
        raise UsageError(
            f"{run.path} is a run of {own.competition.slug}, not of {found.competition.slug}",
            "leave the competition out",
        )
    return read_recipe(found, wish.recipe, changes)


def _refuse_device(run: Run, asked: str) -> None:
    own = pick_device(str(run.env["device"]))  # it may be gone
    if asked != "auto" and pick_device(asked) != own:
        raise UsageError(f"--device {asked}: {run.path} is trained on {own}", "resume without it, or start a new run")


@contextmanager
def followed(console: Console, run: Run, trackers: Mapping[str, Tracker]) -> Iterator[Follower]:
    """Let trackers follow a run until the `with` block ends, however it does.

    Raises:
        UsageError: another process trains the run, and its trackers are told by that one.
    """
    with Follower(trackers, facts_of(run), partial(say, console)) as follower:
        if trackers:
            with lock(run):
                follower.begin()
        yield follower


def train(console: Console, run: Run, taken: Taken, workers: int | None, follower: Follower) -> None:
    """Train what is left, shown live and to trackers; however it stops, say how to go on."""
    left = [k for k in run.wanted if k not in run.finished]
    side_by_side = pick_workers(str(run.env["device"]), max(1, len(left)), workers)
    console.print(f"run {escape(str(run.path))}, {side_by_side} at a time, {run.env['precision']}", soft_wrap=True)
    try:
        measure = MEASURES[run.found.competition.task]
        with Live(
            console, left, run.recipe.train.epochs, measure.unit, measure.metric, measure.baseline, measure.rows,
            side_by_side,
        ) as live:  # fmt: skip

            def watch(progress: Progress) -> None:
                live.update(progress)
                follower.update(progress)

            cross_validate.train(run, taken, watch, workers)
    except (KptoolError, KeyboardInterrupt):
        console.print(f"to go on: {escape(_resume_line(run, follower.names))}", soft_wrap=True)
        raise


def finish(console: Console, run: Run, as_json: bool, follower: Follower | None = None) -> None:
    """Print the report and the next command; trackers are told the scores first."""
    if run.found.competition.task == "verification":
        report_pairs(run, follower, console, as_json)
    else:
        report_points(run, follower, console, as_json)
    if as_json:
        return
    data = run.env["data"]
    if run.found.competition.has_test and run.recipe.data.pairs_from == "file":
        line = shlex.join(["kptool", "submit", str(run.path), *(["--data", data] if data else [])])
    elif run.found.competition.task == "verification":
        line = shlex.join(["kptool", "report", str(run.path), "--html", "report.html", "--open"])
    else:
        line = f"{shlex.join(['kptool', 'predict', str(run.path)])} YOUR-PHOTOS --draw drawn"
    console.print(f"\nnext: {escape(line)}", soft_wrap=True)


def report_points(run: Run, follower: Follower | None, console: Console, as_json: bool) -> None:
    """Print what a run of keypoints reached, and tell the trackers."""
    outcome, arrays = load(run), cached_frames(run)
    if arrays is not None:  # as kptool report does, so that both say the same
        outcome = replace(outcome, contrast=contrasts(arrays))
    result = build(outcome)
    if follower is not None:
        follower.finish(scores_of(result))
    if as_json:
        typer.echo(json.dumps(to_json(result), indent=2, allow_nan=False))
    else:
        render(result, console)


def report_pairs(run: Run, follower: Follower | None, console: Console, as_json: bool) -> None:
    """Print what a run of verification reached, and tell the trackers."""
    result = verification.build(load_pairs(run))
    if follower is not None:
        follower.finish(pair_scores_of(result))
    if as_json:
        typer.echo(json.dumps(verification.to_json(result), indent=2, allow_nan=False))
    else:
        render_pairs(result, console)


def _resume_line(run: Run, trackers: Sequence[str] = ()) -> str:
    wanted = [word for name in trackers for word in ("--track", name)]
    return shlex.join(["kptool", "cv", "--resume", str(run.path), *wanted])


def _wants_old(console: Console, old: Run) -> bool:
    if sys.stdin.isatty() and console.is_terminal:
        return typer.confirm(f"{old.path} is this very recipe, cut off. Go on with it?", default=True)
    console.print(
        f"note: {escape(str(old.path))} is this very recipe, cut off; to go on: {escape(_resume_line(old))}",
        soft_wrap=True,
    )
    return False
