"""`kptool relabel`: a run's models fill in missing labels, for a recipe to learn from."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kptool.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from kptool.cli.sitting import Sitting
    from kptool.relabel import Relabelled
    from kptool.runs import Run


def relabel(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, as kptool cv printed it.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the soft labels go; default: RUN/soft-labels.parquet.")
    ] = None,
    level: Annotated[
        float, typer.Option(metavar="SHARE", help="Share of the truth that each soft label's radius is to hold.")
    ] = 0.9,
    apply: Annotated[
        bool, typer.Option("--apply", help="Train the run's recipe with the soft labels, and tell the gain.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Of --apply: folds side by side, as in kptool cv.")
    ] = None,
    runs: Annotated[Path, typer.Option(metavar="FOLDER", help="Where --apply keeps its run.")] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Fill missing labels with what the run's own models find there: soft labels that a recipe may train on.

    Each fold gets its own, from the model that never saw the labels that the fold is judged by.

    Example: kptool relabel runs/demo/20260131-120000-default --apply
    """
    from kptool.runs import open_run

    opened = open_run(run)  # before anything heavy is loaded

    from kptool.cli.terminal import counting, make_console
    from kptool.relabel import relabel as fill
    from kptool.relabel.telling import rows_json
    from kptool.soft_labels import FILE, write_soft

    file, console = out or run / FILE, make_console(stderr=as_json)
    if opened.recipe.data.soft and file.resolve() == Path(opened.recipe.data.soft):
        raise UsageError(f"{file} is what {run} itself has learned from", "give another file with --out")
    with counting(console, "the run's models answer again") as tick:
        made = fill(opened, tick, level)
    if not made.filled:
        _nothing(console, opened, made, as_json)
        return
    write_soft(file, made.sets, made.ids, made.schema, made.about)
    told = {"file": str(file), **rows_json(made)}
    if not as_json:
        _show(console, made, file)
    if apply:
        told["applied"] = _apply(console, opened, file, workers, runs, as_json)
    elif not as_json:
        line = shlex.join(["kptool", "relabel", str(run), *(["--out", str(out)] if out else []), "--apply"])
        _say(console, f"\nnext: {line}")
    if as_json:
        typer.echo(json.dumps(told, indent=2, allow_nan=False))


def _say(console: Console, words: str) -> None:
    from rich.markup import escape

    console.print(escape(words), soft_wrap=True)


def _nothing(console: Console, run: Run, made: Relabelled, as_json: bool) -> None:
    from kptool.relabel.telling import rows_json

    if as_json:
        typer.echo(json.dumps({"file": None, **rows_json(made)}, indent=2, allow_nan=False))
        return
    why = "no scheme marks what is missing" if made.points else "every point of every training image is labelled"
    _say(console, f"{run.path}: {why}, so there is nothing to fill")


def _show(console: Console, made: Relabelled, file: Path) -> None:
    from kptool.relabel.telling import lines, table
    from kptool.report.pen import Pen
    from kptool.report.words import count

    pen = Pen(console)
    console.print(pen.section("Missing labels", f"{count(made.filled)} filled by {made.about.teacher}"))
    console.print(table(pen, made))
    for words in ["", *lines(made), "", f"soft labels: {file}"]:
        console.print(pen.text(words), soft_wrap=not console.is_terminal)


def _apply(console: Console, run: Run, file: Path, workers: int | None, runs: Path, quiet: bool) -> dict[str, Any]:
    """Train the run's own recipe on its own folds, with the soft labels beside the labels, and tell the gain."""
    from kptool.cli.sitting import followed, train
    from kptool.relabel.gain import gains
    from kptool.relabel.telling import gain_json, gain_lines

    made, intake = _begin(console, run, file, runs)
    if made.env["precision"] != run.env["precision"]:
        _say(console, f"note: {run.path.name} was trained in {run.env['precision']}, which is part of any difference")
    with followed(console, made, {}) as follower:
        train(console, made, intake, workers, follower)
    found, metric, unit = gains(run.path, made.path)
    for words in [] if quiet else gain_lines(found, metric, unit):
        _say(console, words)
    if not quiet:
        _say(console, f"\nnext: {shlex.join(['kptool', 'compare', str(run.path), str(made.path)])}")
    return {"run": str(made.path), **gain_json(found, metric, unit)}


def _begin(console: Console, run: Run, file: Path, runs: Path) -> Sitting:
    """A new run of the same recipe with soft labels; one that was cut off is gone on with."""
    from kptool.cli.sitting import Sitting
    from kptool.cli.terminal import counting
    from kptool.competitions import change_recipe
    from kptool.device import pick_device
    from kptool.engine.cross_validate import begin, refuse_other_schemes, refuse_other_weights
    from kptool.intake import take_in
    from kptool.runs import unfinished

    refuse_other_weights(run)
    name = f"{run.recipe.name.removesuffix('-relabelled')[:80].rstrip()}-relabelled"
    changes = [f"data.soft={json.dumps(str(file.resolve()))}", f"name={json.dumps(name)}"]
    recipe, env = change_recipe(run.found, run.recipe, changes), run.env
    with counting(console, "reading and checking the data") as tick:
        data = Path(env["data"]) if env["data"] else None
        intake = take_in(run.found, recipe, data, run.path / "folds.parquet", tick)
    refuse_other_schemes(run, intake)
    for note in intake.notes:
        _say(console, f"note: {note}")
    old = unfinished(runs, run.found, recipe)
    if old is not None and old.wanted == run.finished and old.recipe.data == recipe.data:
        return Sitting(old, intake)
    about = {"data": env["data"], "device": pick_device(str(env["device"])), "folds": run.finished}
    with counting(console, "preparing pixels, timing this machine") as tick:
        return Sitting(begin(runs, run.found, recipe, intake, about, tick), intake)
